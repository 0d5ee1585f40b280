"""What only the SQLite engine promises."""
