"""The writing connection shares its processor."""

from pathlib import Path

import pytest

from tams_graphql.metadata.sqlite import connections


@pytest.mark.parametrize(("turn_seconds", "yields"), [(-1.0, 5), (3600.0, 0)])
def test_a_writer_gives_way_after_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, turn_seconds: float, yields: int
) -> None:
    connection = connections.open_writer(tmp_path / "index.db", 1.0)
    seen: list[None] = []
    monkeypatch.setattr(connections, "TURN_SECONDS", turn_seconds)
    monkeypatch.setattr(connections, "_give_way", lambda: seen.append(None))
    connection.begin()
    for _ in range(5):
        connection.execute("SELECT 1").fetchone()
    assert len(seen) == yields
    connection.close()
