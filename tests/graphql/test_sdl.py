"""The committed schema is the one that the code has."""

from pathlib import Path

from graphql import build_schema

from tams_graphql.graphql.sdl import print_sdl

COMMITTED = Path(__file__).parents[2] / "schema" / "tams.graphql"


def test_the_committed_schema_has_not_drifted() -> None:
    assert COMMITTED.read_text() == print_sdl(), "run `make schema` and review the difference"


def test_the_committed_schema_can_be_built() -> None:
    schema = build_schema(COMMITTED.read_text())
    flow = schema.type_map["Flow"]
    assert {kind.name for kind in schema.get_possible_types(flow)} == {  # type: ignore[arg-type]
        "VideoFlow",
        "AudioFlow",
        "ImageFlow",
        "DataFlow",
        "MultiFlow",
    }


def test_every_scalar_of_ours_says_where_it_is_specified() -> None:
    schema = build_schema(COMMITTED.read_text())
    ours = {
        name: kind.specified_by_url  # type: ignore[attr-defined]
        for name, kind in schema.type_map.items()
        if name in {"UUID", "DateTime", "Timestamp", "TimeRange", "MimeType", "URL", "Int64"}
    }
    assert len(ours) == 7
    assert all(ours.values())
