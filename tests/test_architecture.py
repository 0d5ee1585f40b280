"""Pins the house rules that a machine can check: import directions and room sizes."""

import ast
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("tams_graphql", "rest_compat")
MODULES = sorted(
    path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py")
)

# What each layer may import of ours; a layer may always import itself. The first match wins.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "tams_graphql.timeline": (),
    "tams_graphql.model": ("tams_graphql.timeline",),
    "tams_graphql.metadata.engine": (
        "tams_graphql.metadata.event_tables",
        "tams_graphql.metadata.tables",
        "tams_graphql.model",
    ),
    "tams_graphql.metadata.table": (),
    "tams_graphql.metadata.event_tables": ("tams_graphql.metadata.table",),
    "tams_graphql.metadata.tables": (
        "tams_graphql.metadata.event_tables",
        "tams_graphql.metadata.table",
    ),
    "tams_graphql.metadata": ("tams_graphql.model", "tams_graphql.timeline"),
    "tams_graphql.media": ("tams_graphql.model", "tams_graphql.timeline"),
    "tams_graphql.events": (
        "tams_graphql.metadata.engine",
        "tams_graphql.metadata.event_tables",
        "tams_graphql.metadata.table",
        "tams_graphql.model",
    ),
    "tams_graphql.resolvers": (
        "tams_graphql.events.event",
        "tams_graphql.events.hub",
        "tams_graphql.events.log",
        "tams_graphql.events.position",
        "tams_graphql.events.sending",
        "tams_graphql.events.signature",
        "tams_graphql.metadata.columns",
        "tams_graphql.metadata.edits",
        "tams_graphql.metadata.engine",
        "tams_graphql.metadata.event_tables",
        "tams_graphql.metadata.tables",
        "tams_graphql.media.store",
        "tams_graphql.model",
        "tams_graphql.timeline",
    ),
    "tams_graphql.graphql": (
        "tams_graphql.events.event",
        "tams_graphql.events.hub",
        "tams_graphql.resolvers",
        "tams_graphql.model",
        "tams_graphql.timeline",
        "tams_graphql.media.store",
        "tams_graphql.metadata.columns",
        "tams_graphql.metadata.tables",
    ),
    "rest_compat": (
        "tams_graphql.events.event",
        "tams_graphql.events.hub",
        "tams_graphql.resolvers",
        "tams_graphql.model",
        "tams_graphql.timeline",
        "tams_graphql.media.store",
        "tams_graphql.metadata.columns",
        "tams_graphql.metadata.tables",
    ),
    "tams_graphql.client": ("tams_graphql.timeline",),
}

# Frameworks that stay out of a layer.
FORBIDDEN: dict[str, tuple[str, ...]] = {
    "tams_graphql.timeline": ("fastapi", "starlette", "strawberry", "pydantic", "sqlite3"),
    "tams_graphql.model": ("fastapi", "starlette", "strawberry", "sqlite3"),
    "tams_graphql.resolvers": ("fastapi", "starlette", "strawberry", "sqlite3", "vastdb", "boto3"),
    "tams_graphql.metadata": ("fastapi", "starlette", "strawberry"),
    "tams_graphql.events": ("fastapi", "starlette", "strawberry", "sqlite3"),
    "rest_compat": ("strawberry", "sqlite3"),
    "tams_graphql.graphql": ("sqlite3",),
    "tams_graphql.client": ("fastapi", "starlette", "strawberry", "sqlite3"),
}


def _name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _within(name: str, layer: str) -> bool:
    return name == layer or name.startswith(layer + ".")


def _layer(name: str, table: dict[str, tuple[str, ...]]) -> str | None:
    return next((layer for layer in table if _within(name, layer)), None)


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            module = node.module or ""
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return names


def _allowed(name: str, layer: str) -> bool:
    return _within(name, layer) or any(_within(name, other) for other in MAY_IMPORT[layer])


def _parents(name: str) -> bool:
    """Whether `name` only names a package on the way to something allowed."""
    return name in {
        "tams_graphql",
        "tams_graphql.events",
        "tams_graphql.media",
        "tams_graphql.metadata",
    }


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_flow_down_only(path: Path) -> None:
    name = _name(path)
    layer = _layer(name, MAY_IMPORT)
    if layer is None:
        return
    ours = {i for i in _imports(path) if i.split(".")[0] in PACKAGES and not _parents(i)}
    wrong = sorted(i for i in ours if not _allowed(i, layer))
    assert wrong == [], f"{name} ({layer}) imports {wrong}"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_frameworks_stay_in_their_layer(path: Path) -> None:
    layer = _layer(_name(path), FORBIDDEN)
    if layer is None:
        return
    tops = {i.split(".")[0] for i in _imports(path)}
    assert tops.isdisjoint(FORBIDDEN[layer])


def _functions() -> list[tuple[str, int]]:
    found = []
    for path in MODULES:
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                size = (node.end_lineno or node.lineno) - node.lineno + 1
                found.append((f"{path}:{node.lineno} {node.name}", size))
    return found


def test_functions_are_small_rooms() -> None:
    sizes = _functions()
    assert [name for name, size in sizes if size > 60] == []
    assert statistics.median(size for _, size in sizes) <= 10


def test_files_are_under_400_lines() -> None:
    files = [*MODULES, *(p.relative_to(ROOT) for p in (ROOT / "tests").rglob("*.py"))]
    long = {str(p): n for p in files if (n := len((ROOT / p).read_text().splitlines())) >= 400}
    assert long == {}


def test_only_the_wiring_imports_implementations() -> None:
    wiring = {
        "tams_graphql.app",
        "tams_graphql.backends",
        "tams_graphql.cli",
        "tams_graphql.vast_doctor",
    }
    implementations = (
        "tams_graphql.metadata.sqlite",
        "tams_graphql.metadata.vast",
        "tams_graphql.media.filesystem",
        "tams_graphql.media.s3",
        "tams_graphql.events.http_sender",
        "tams_graphql.events.http_sender",
    )
    for path in MODULES:
        name = _name(path)
        if name in wiring or any(_within(name, i) for i in implementations):
            continue
        used = {i for i in _imports(path) if any(_within(i, m) for m in implementations)}
        assert used == set(), f"{name} imports {used}"
