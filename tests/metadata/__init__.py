"""The metadata port, on every engine."""
