"""The official specification beside the repository, and what it says about our answers."""

import json
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from rest_compat.catalogue import RESOURCES

FOLDER = Path(__file__).parents[3] / "shared" / "spec"
_URI = "urn:official"
# DECISIONS: these are answered whether or not the spec documents them for the operation.
ALWAYS_POSSIBLE = {400, 404, 405, 413, 415}


class Official:
    """The document of one version: its operations, schemas and examples."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.document = json.loads((folder / "openapi.json").read_text())
        self._registry: Registry[Any] = Registry().with_resource(
            _URI, Resource.from_contents(self.document, default_specification=DRAFT202012)
        )

    @cached_property
    def implemented(self) -> dict[str, Any]:
        """The document with the paths and methods of this server only."""
        ours = {r.path: {m.lower() for m in r.operations} for r in RESOURCES}
        paths = {
            path: {
                method: operation
                for method, operation in item.items()
                if method in ours[path] | {"parameters", "head"}
            }
            for path, item in self.document["paths"].items()
            if path in ours
        }
        return {**self.document, "paths": paths}

    def example(self, name: str) -> Any:
        return json.loads((self.folder / "examples" / f"{name}.json").read_text())

    def check(self, schema: Any, value: Any) -> None:
        """Raise unless `value` conforms; references are into the document."""
        absolute = json.loads(json.dumps(schema).replace('"#/components', f'"{_URI}#/components'))
        Draft202012Validator(absolute, registry=self._registry).validate(value)

    def check_answer(self, path: str, method: str, response: httpx.Response) -> None:
        """Raise unless the answer is one that the operation documents, with its schema."""
        operation = self.document["paths"][path][method.lower()]
        status = response.status_code
        documented = {int(code): told for code, told in operation["responses"].items()}
        assert status in documented.keys() | ALWAYS_POSSIBLE, f"{method} {path}: {status}"
        assert response.headers["content-type"] == "application/json"
        if status >= 400:
            self.check_error(response)
            return
        told = documented[status]
        schema = told.get("content", {}).get("application/json", {}).get("schema")
        if schema is not None and method != "HEAD":
            self.check(schema, response.json())
        for name, header in told.get("headers", {}).items():
            if name in response.headers:
                self._check_header(header["schema"], response.headers[name])

    def check_error(self, response: httpx.Response) -> None:
        if response.request.method == "HEAD":
            assert response.content == b""
            return
        self.check(self._error_schema, response.json())
        for detail in response.json()["details"]:
            assert detail.keys() == {"field", "rule", "message"}

    @cached_property
    def _error_schema(self) -> Any:
        """Version 6.0 has it nowhere but inside a deletion request."""
        file = self.folder / "schemas" / "error.json"
        if file.exists():
            return json.loads(file.read_text())
        return self.document["components"]["schemas"]["deletion-request"]["properties"]["error"]

    def _check_header(self, schema: Any, text: str) -> None:
        kind = schema.get("type")
        value = json.loads(text) if kind in {"integer", "boolean"} else text
        self.check(schema, value)


@cache
def find_official(version: str = "8.2") -> Official:
    """The official document of a version, or skip."""
    folder = FOLDER / version
    if not folder.is_dir():
        pytest.skip(f"the official specification is not at {folder}")
    return Official(folder)
