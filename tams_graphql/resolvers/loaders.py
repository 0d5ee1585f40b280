"""Dataloaders: what a request asks of many parents at once becomes one engine read.

To be made per request; nothing is kept between requests.
"""

from collections.abc import Callable, Coroutine, Hashable, Mapping
from typing import Any, TypeAlias, TypeVar

from aiodataloader import DataLoader

from tams_graphql.metadata.engine import MetadataEngine

V = TypeVar("V")
Batch: TypeAlias = Callable[[list[str]], Coroutine[Any, Any, list[V]]]


class Loaders:
    """The dataloaders of one request, each made when it is first asked for."""

    def __init__(self, metadata: MetadataEngine) -> None:
        self.metadata = metadata
        self._loaders: dict[Hashable, DataLoader[str, Any]] = {}

    async def load(self, kind: Hashable, batch: Batch[V], key: str) -> V:
        """The value of `key`, read together with all that this tick asks of the same `kind`.

        Args:
            kind: what is loaded, arguments included (``("flows of source", 20)``).
            batch: reads the values of several different keys, in their order.
            key: of which parent.
        """
        loader = self._loaders.get(kind)
        if loader is None:
            loader = self._loaders[kind] = DataLoader(batch)
        value: V = await loader.load(key)
        return value

    def prime(self, kind: Hashable, batch: Batch[V], values: Mapping[str, V]) -> None:
        """Take `values` for what `batch` would read; what is there already stays."""
        loader = self._loaders.get(kind)
        if loader is None:
            loader = self._loaders[kind] = DataLoader(batch)
        for key, value in values.items():
            loader.prime(key, value)

    def forget(self) -> None:
        """Read anew from now on; every resolver that commits calls it."""
        self._loaders.clear()
