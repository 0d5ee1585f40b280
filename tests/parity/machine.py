"""How one step is taken: by every store and by the model; then all that can be seen is compared."""

from collections import Counter
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import Any

from hypothesis import assume, note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from tests.parity import histories as h
from tests.parity.compare import Look, agree
from tests.parity.shown import Model
from tests.parity.store import Json, Listing, Outcome, Store, outcome_of

Stores = dict[str, Store]
Opening = Callable[[], AbstractContextManager[Stores]]


STEPS = "steps"
WHOLE = 5
"""After so many changes, or refused ones, everything is looked at."""

READS = {"sources", "source", "flows", "flow", "segments", "object", "profiles", "webhooks"}


class Remembered:
    """How things of one kind looked."""

    def __init__(self) -> None:
        self._last: Json = {}

    def due(self, now: Json, *, whole: bool) -> list[str]:
        """What is to be looked at: what changed, came or went; or everything there was and is."""
        last, self._last = self._last, now
        both = sorted(now.keys() | last.keys())
        return [one for one in both if whole or now.get(one) != last.get(one)]


class Machine(RuleBasedStateMachine):
    """One history.

    Args:
        opening: gives the stores, by name, that must agree with the model.
        done: counts what was done, and what was refused.
        later: as the model's.
    """

    def __init__(self, opening: Opening, done: Counter[str], *, later: bool) -> None:
        super().__init__()
        self._opening = opening
        self._done = done
        self._stack = ExitStack()
        self._stores: Stores = {}
        self._flows, self._used = Remembered(), Remembered()
        self._changes = 0
        self._compared = 0
        self.model: Any = Model(later=later)

    @initialize(start=st.integers(0, 99), bodies=st.lists(h.flow_bodies(), min_size=2, max_size=5))
    def begin(self, start: int, bodies: list[Json]) -> None:
        # Hypothesis begins with the simplest history: the same step again and again.
        assume(start)
        self._stores = self._stack.enter_context(self._opening())
        for flow_id, body in zip(h.FLOW_IDS, bodies, strict=False):
            self.do("put_flow", flow_id, body)

    def teardown(self) -> None:
        self._stack.close()

    def do(self, name: str, *given: Any) -> Outcome:
        """Carry out an operation everywhere; the outcome, which is everybody's."""
        note(f"{name}{given}")
        expected = outcome_of(partial(getattr(self.model, name), *given))
        told = {
            api: outcome_of(partial(getattr(store, name), *given))
            for api, store in self._stores.items()
        }
        agree(name, expected, told)
        self._changes += name not in READS
        self._done[f"{name} refused" if expected.refused else name] += 1
        return expected

    @invariant()
    def equal(self) -> None:
        """What can be seen is equal: whatever should have changed, and often all the rest."""
        self._done[STEPS] += 1
        if self._changes == self._compared:
            return
        whole = self._changes // WHOLE > self._compared // WHOLE
        self._compared = self._changes
        look = Look(
            flow_ids=self._flows.due(self._shown("flow", self.model.all_flows), whole=whole),
            object_ids=self._used.due(self._shown("object", self._objects()), whole=whole),
            settings=whole,
        )
        told = {api: Outcome(look.at(store)) for api, store in self._stores.items()}
        agree("the state", Outcome(look.at(self.model)), told)

    def _shown(self, noun: str, ids: Collection[str]) -> Json:
        more = self.model.segments if noun == "flow" else lambda _, __: None
        show = getattr(self.model, noun)
        return {one: (show(one), more(one, Listing())) for one in sorted(ids)}

    def flow(self, pick: int) -> str:
        """A flow, mostly one that there is."""
        return _picked(pick, h.FLOW_IDS, sorted(self.model.all_flows))

    def source(self, pick: int) -> str:
        """A source, mostly one that there is."""
        return _picked(pick, h.SOURCE_IDS, sorted(self.model.all_sources))

    def object(self, pick: int) -> str:
        """An object, mostly one that is registered, or waits for that."""
        waiting = [name for name, one in self.model.media.objects.items() if not one.registered]
        return _picked(pick, h.OBJECT_IDS, [*sorted(self._objects()), *waiting[-4:]])

    def _objects(self) -> set[str]:
        return {name for name, one in self.model.media.objects.items() if one.registered}


def _picked(pick: int, every: list[str], there: list[str]) -> str:
    return every[pick % len(every)] if pick >= h.ANY or not there else there[pick % len(there)]
