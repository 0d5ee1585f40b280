"""The comparison finds a store that lies, and a product that is broken."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase

from tams_graphql.resolvers import source_rows
from tests.parity.compare import differences
from tests.parity.machine import STEPS, Opening
from tests.parity.running import live_through, without_bounds
from tests.parity.shown import Model
from tests.parity.store import Json, Listing, Outcome, Refusal
from tests.parity.test_parity import two_stores


class LosesTheLastSegment(Model):
    """Of each listing that has two."""

    def segments(self, flow_id: str, wanted: Listing) -> list[Json]:
        found = super().segments(flow_id, wanted)
        return found[:-1] if len(found) > 1 else found


class SortsTheWrongWay(Model):
    def sources(self, wanted: Listing) -> list[Json]:
        return super().sources(replace(wanted, reverse=not wanted.reverse))


class FiltersByOneTagOnly(Model):
    def flows(self, wanted: Listing) -> list[Json]:
        return super().flows(replace(wanted, tags=wanted.tags[:1]))


class KeepsWhatNothingUses(Model):
    """An object is still told after it went."""

    def __init__(self, *, later: bool = False) -> None:
        super().__init__(later=later)
        self.told: dict[str, Json] = {}

    def object(self, object_id: str, tags: Sequence[tuple[str, Any]] = ()) -> Json:
        try:
            self.told[object_id] = super().object(object_id, tags)
        except Refusal:
            if object_id not in self.told:
                raise
        return self.told[object_id]


class HidesRefusals(Model):
    def set_tag(self, noun: str, identifier: str, name: str, value: Any) -> None:
        try:
            super().set_tag(noun, identifier, name, value)
        except Refusal:
            return


class ChangesWhenItRefuses(Model):
    """A refused deletion leaves a word behind."""

    def delete_segments(self, flow_id: str, timerange: str | None, object_id: str | None) -> None:
        try:
            super().delete_segments(flow_id, timerange, object_id)
        except Refusal:
            if flow_id in self.all_flows:
                self.all_flows[flow_id].content["description"] = "refused"
            raise


class RenewsWhatIsEqual(Model):
    """The same again is a new version of a flow."""

    def put_flow(self, flow_id: str, body: Json) -> str:
        before = self.changes["flow", flow_id, "metadata_updated"]
        told = super().put_flow(flow_id, body)
        if self.changes["flow", flow_id, "metadata_updated"] == before:
            self.changes["flow", flow_id, "metadata_updated"] += 1
        return told


class RefusesForAnotherReason(Model):
    def set_property(self, noun: str, identifier: str, name: str, value: Any) -> None:
        try:
            super().set_property(noun, identifier, name, value)
        except Refusal:
            raise Refusal("CONFLICT") from None


LIARS = [
    *(LosesTheLastSegment, SortsTheWrongWay, FiltersByOneTagOnly, KeepsWhatNothingUses),
    *(HidesRefusals, ChangesWhenItRefuses, RenewsWhatIsEqual, RefusesForAnotherReason),
]


def stores(kind: type[Model]) -> Opening:
    """Stores that need no server, the second one of a kind that may lie."""
    return lambda: nullcontext({"REST": Model(), "GraphQL": kind()})


def test_stores_that_are_right_agree() -> None:
    done = live_through(stores(Model), number=8, steps=50, derandomize=True)
    assert done[STEPS] > 200


@pytest.mark.parametrize("liar", LIARS)
def test_a_store_that_lies_is_found_out(liar: type[Model]) -> None:
    with without_bounds(), pytest.raises(AssertionError, match="GraphQL is not as specified"):
        live_through(stores(liar), number=20, steps=300, derandomize=True, phases=[Phase.generate])


@pytest.mark.soak
def test_a_rule_that_both_apis_have_lost_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_rows, "check_format", lambda *_: None)
    folders = (tmp_path / str(number) for number in range(1000))
    lost = r"REST is not as specified:\n refused: \['INVALID_INPUT'\] wanted, \[\] found"
    with without_bounds(), pytest.raises(AssertionError, match=lost):
        live_through(
            lambda: two_stores(next(folders)),
            number=10,
            steps=200,
            derandomize=True,
            phases=[Phase.generate],
        )


@pytest.mark.parametrize(
    ("wanted", "found", "place"),
    [
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, ".a[1].b: 2 wanted, 3 found"),
        ([1], [1, 2], "[1]: None wanted, 2 found"),
        ({"a": False}, {"a": 0}, ".a: False wanted, 0 found"),
        ({"NOT_FOUND"}, {"FORBIDDEN"}, ": ['NOT_FOUND'] wanted, ['FORBIDDEN'] found"),
        (Outcome(1), Outcome(2), ": 1 wanted, 2 found"),
    ],
)
def test_a_difference_is_told_with_its_place(wanted: Any, found: Any, place: str) -> None:
    assert list(differences(wanted, found)) == [place]


def test_one_of_several_kinds_of_refusal_is_enough() -> None:
    several = Outcome(refused=frozenset({"NOT_FOUND", "INVALID_INPUT"}))
    assert not list(differences(several, Outcome(refused=frozenset({"NOT_FOUND"}))))
    assert list(differences(several, Outcome()))
    assert list(differences(Outcome(), several))
