"""What an operation and an observation are called, whoever carries them out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Json = dict[str, Any]


class Refusal(Exception):
    """An operation that was refused, with the kinds of refusal that apply.

    An API tells one kind. The model names every kind that a request has earned, since the
    specification has no order of checks.
    """

    def __init__(self, *codes: str, told: object = None) -> None:
        super().__init__(*codes)
        self.codes = frozenset(codes)
        self.told = told


@dataclass(frozen=True)
class Outcome:
    """How an operation ended: its answer, or why it was refused."""

    answer: Any = None
    refused: frozenset[str] = frozenset()
    told: object = field(default=None, compare=False)
    """The whole refusal, for whoever has to find out why it came."""


def outcome_of(operation: Callable[[], Any]) -> Outcome:
    """Carry out an operation."""
    try:
        return Outcome(answer=operation())
    except Refusal as refusal:
        return Outcome(refused=refusal.codes, told=refusal.told)


@dataclass(frozen=True)
class Listing:
    """Which page walk: `limit` items a page, until the end."""

    filters: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[tuple[str, Any]] = ()
    """Name, and either the values of which the tag has one, or whether it is there at all."""

    sort: str = "created"
    reverse: bool = False
    limit: int = 3


class Store(Protocol):
    """Everything that the machine does, and looks at. Ids that servers make are `made-1`, …."""

    def put_flow(self, flow_id: str, body: Json) -> str: ...

    def set_property(self, noun: str, identifier: str, name: str, value: Any) -> None: ...

    def set_tag(self, noun: str, identifier: str, name: str, value: Any) -> None: ...

    def delete_flow(self, flow_id: str) -> None: ...

    def allocate(self, flow_id: str, body: Json) -> list[str]: ...

    def register(self, flow_id: str, posts: list[Json]) -> list[tuple[str, str, Any]]: ...

    def register_one(self, flow_id: str, post: Json) -> None: ...

    def delete_segments(
        self, flow_id: str, timerange: str | None, object_id: str | None
    ) -> None: ...

    def add_instance(self, object_id: str, url: str, label: str) -> None: ...

    def remove_instance(self, object_id: str, label: str) -> None: ...

    def create_profile(self, profile_id: str, body: Json) -> None: ...

    def register_webhook(self, body: Json) -> str: ...

    def replace_webhook(self, name: str, body: Json) -> None: ...

    def delete_webhook(self, name: str) -> None: ...

    def sources(self, wanted: Listing) -> list[Json]: ...

    def source(self, source_id: str) -> Json: ...

    def flows(self, wanted: Listing) -> list[Json]: ...

    def flow(self, flow_id: str, timerange: str | None = None) -> Json: ...

    def segments(self, flow_id: str, wanted: Listing) -> list[Json]: ...

    def object(self, object_id: str, tags: Sequence[tuple[str, Any]] = ()) -> Json: ...

    def profiles(self, wanted: Listing) -> list[Json]: ...

    def webhooks(self, wanted: Listing) -> list[Json]: ...


class Names:
    """What a server made, under names that are the same for all stores, and back."""

    def __init__(self) -> None:
        self._actual: dict[str, str] = {}
        self._neutral: dict[str, str] = {}
        self._changes: dict[tuple[str, ...], list[str]] = {}

    def learn(self, actual: str, kind: str = "made") -> str:
        """Name something new."""
        count = sum(name.startswith(f"{kind}-") for name in self._actual)
        name = f"{kind}-{count + 1}"
        self._actual[name], self._neutral[actual] = actual, name
        return name

    def actual(self, name: str) -> str:
        """What the server calls it; names that nobody made stand for themselves."""
        return self._actual.get(name, name)

    def neutral(self, actual: str) -> str:
        """What we call it."""
        return self._neutral.get(actual, actual)

    def change(self, value: str | None, *place: str) -> int | None:
        """How often the value in a place has been a new one: for dates and versions."""
        if value is None:
            return None
        seen = self._changes.setdefault(place, [])
        if seen[-1:] != [value]:
            assert value not in seen, f"{place} went back to {value}"
            seen.append(value)
        return len(seen)


def at_first(status: str) -> str:
    """The status that a webhook had when it was made or changed.

    The server starts it a moment later; when, is no matter of parity.
    """
    return "created" if status == "started" else status


def present(members: Mapping[str, Any]) -> Json:
    """Without the members that say nothing."""
    return {name: value for name, value in members.items() if value not in (None, [], {}, ())}
