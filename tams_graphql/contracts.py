"""The published contracts that are generated from the code, committed, and drift-checked."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rest_compat.compatibility import compatibility_table
from rest_compat.event_schemas import events_document
from rest_compat.openapi import openapi_document
from tams_graphql.graphql.sdl import print_sdl
from tams_graphql.settings import env_example

_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Contract:
    """A committed file and how to make its text."""

    path: Path
    text: Callable[[], str]


CONTRACTS: dict[str, Contract] = {
    "graphql": Contract(_ROOT / "schema" / "tams.graphql", print_sdl),
    "openapi": Contract(
        _ROOT / "schema" / "openapi.json",
        lambda: json.dumps(openapi_document(), indent=2, ensure_ascii=False) + "\n",
    ),
    "events": Contract(
        _ROOT / "schema" / "events.json",
        lambda: json.dumps(events_document(), indent=2, ensure_ascii=False) + "\n",
    ),
    "env": Contract(_ROOT / "deploy" / "env.example", env_example),
    "rest-compat": Contract(_ROOT / "docs" / "rest-compat.md", compatibility_table),
}
