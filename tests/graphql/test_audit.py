"""GraphQL over HTTP: the `graphql-http` audit passes in full, without a warning."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tams_graphql.graphql.limits import Limits
from tests.graphql.conftest import Api
from tests.support.server import running

AUDIT = Path(__file__).parent / "audit"


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.skipif(
    not (AUDIT / "node_modules" / "graphql-http").is_dir(),
    reason="run `npm ci` in tests/graphql/audit first",
)
def test_all_61_audits_pass_without_a_warning() -> None:
    node = shutil.which("node")
    assert node is not None
    with running(_app()) as base_url:
        done = subprocess.run(
            [node, "audit.mjs", f"{base_url}/graphql"],
            cwd=AUDIT,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    results = [json.loads(line) for line in done.stdout.splitlines()]

    assert [one for one in results if one["status"] != "ok"] == []
    assert len(results) == 61


def _app():
    # The audits ask for nothing but __typename: no engine is read.
    return Api(engine=None, limits=Limits(), introspection=True, ide=True).app  # type: ignore[arg-type]
