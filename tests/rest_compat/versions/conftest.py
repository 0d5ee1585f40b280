"""The filled store, for all tests of the versions."""

from tests.rest_compat.versions.world import world

__all__ = ["world"]
