"""The embedded metadata engine: one SQLite file in WAL mode. Wired by `app.py` only."""

from tams_graphql.metadata.sqlite.engine import SQLiteEngine

__all__ = ["SQLiteEngine"]
