"""One event of the log."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tams_graphql.model.vocabulary import EventType


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Event:
    """Something that changed, as it was when it had just changed.

    Each is equal only to itself, so that what is made of it can be kept for others who want it.

    `lane` and `sequence` place it in the log, `hlc` among the events of its flow or source (see
    `event_tables.EVENTS`). `occurred_us`: in microseconds since the Unix epoch (UTC). `actor`:
    whose request it was. `flow_id` is ``None`` for events of sources; `source_id` is that of the
    flow otherwise. `payload`: JSON, see `resolvers.announcing`.
    """

    lane: int
    sequence: int
    hlc: int
    id: str
    type: EventType
    occurred_us: int
    actor: str | None
    flow_id: str | None
    source_id: str | None
    payload: Mapping[str, Any]


def event_from_row(row: Mapping[str, Any], parts: str) -> Event:
    """A row of EVENTS; `parts`: its EVENT_PARTS joined, if it has any."""
    return Event(
        lane=row["lane"],
        sequence=row["sequence"],
        hlc=row["hlc"],
        id=row["event_id"],
        type=EventType(row["event_type"]),
        occurred_us=row["occurred_us"],
        actor=row["actor"],
        flow_id=row["flow_id"],
        source_id=row["source_id"],
        payload=orjson.loads(parts if row["payload_json"] is None else row["payload_json"]),
    )
