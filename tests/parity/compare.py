"""Whether three stores tell the same story; where they don't, an error that names the place."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import Any

from tests.parity.store import Json, Listing, Outcome, Store, outcome_of


def agree(what: str, expected: Outcome, told: Mapping[str, Outcome]) -> None:
    """Assert that all APIs told the same, and that it is what the model expects."""
    first, *others = told
    for name in told:
        places = list(differences(expected, told[name]))
        assert not places, f"{what}: {name} is not as specified:\n" + "\n".join(places[:10])
    for other in others:
        places = list(differences(told[first].answer, told[other].answer))
        assert not places, f"{what}: {first} and {other} differ:\n" + "\n".join(places[:10])


def differences(wanted: Any, found: Any, place: str = "") -> Iterator[str]:
    """Each place where `found` is not what is wanted; a set wants some of its elements."""
    if isinstance(wanted, Outcome) and isinstance(found, Outcome):
        for line in differences(wanted.refused, found.refused, f"{place} refused"):
            yield f"{line}: {found.told}"
        yield from differences(wanted.answer, found.answer, place)
    elif isinstance(wanted, Mapping) and isinstance(found, Mapping):
        for name in wanted.keys() | found.keys():
            yield from differences(wanted.get(name), found.get(name), f"{place}.{name}")
    elif isinstance(wanted, list | tuple) and isinstance(found, list | tuple):
        for index, (left, right) in enumerate(zip_longest(wanted, found)):
            yield from differences(left, right, f"{place}[{index}]")
    elif isinstance(wanted, set | frozenset) and isinstance(found, set | frozenset):
        if not found <= wanted or bool(found) != bool(wanted):
            yield f"{place}: {sorted(wanted)} wanted, {sorted(found)} found"
    elif wanted != found or isinstance(wanted, bool) != isinstance(found, bool):
        yield f"{place}: {wanted!r} wanted, {found!r} found"


@dataclass(frozen=True)
class Look:
    """What is looked at of a store."""

    flow_ids: Sequence[str]
    object_ids: Sequence[str]
    settings: bool
    """Whether also at profiles and webhooks."""

    def at(self, store: Store) -> Json:
        """The listings of flows and sources, walked in small pages, and what is chosen."""
        return {
            "sources": outcome_of(partial(store.sources, Listing(limit=3))),
            "flows": outcome_of(partial(store.flows, Listing(sort="metadata_updated", limit=3))),
            **{f"flow {one}": self._flow(store, one) for one in self.flow_ids},
            **{f"object {one}": outcome_of(partial(store.object, one)) for one in self.object_ids},
            **(self._settings(store) if self.settings else {}),
        }

    def _flow(self, store: Store, flow_id: str) -> Json:
        return {
            "flow": outcome_of(partial(store.flow, flow_id)),
            "segments": outcome_of(partial(store.segments, flow_id, Listing(limit=4))),
        }

    def _settings(self, store: Store) -> Json:
        by_label = Listing(sort="label")
        return {
            "profiles": outcome_of(partial(store.profiles, by_label)),
            "webhooks": outcome_of(partial(store.webhooks, by_label)),
        }
