"""Reading the event log (INVARIANTS, event order; ADR 0012).

1. Ask for the heads: the last sequence of every lane, in one read. Whatever an event rests on was
   committed before it, and so is below these heads if the event is.
2. Of each lane that has moved, read what is after one's position, up to its head.
3. Merge by clock, lane and sequence. If a lane had more than was asked for, hold back whatever
   comes after the last that was read of it.

Sequences have no gaps. One that is missing has been deleted by retention: whoever was to read
it has been too slow.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from tams_graphql.events.event import Event, event_from_row
from tams_graphql.events.position import Position, decode_position, encode_position
from tams_graphql.metadata.engine import Between, MetadataEngine, Scan
from tams_graphql.metadata.event_tables import EVENT_FLOORS, EVENT_PARTS, EVENTS, LANES
from tams_graphql.model.errors import CursorTooOld, InvalidInput

READ_AT_ONCE = 500
"""How many events of a lane one read fetches."""

PARTS_AT_ONCE = 1_000
"""How many parts of large events, of up to 96 KB each, one read fetches."""

_log = logging.getLogger(__name__)
_MOST_LANES = 1000


@dataclass(frozen=True, slots=True)
class Batch:
    """Events in their order, and the position after the last of them."""

    events: Sequence[Event]
    position: Position


class EventLog:
    """The log of one index."""

    def __init__(self, metadata: MetadataEngine) -> None:
        self._metadata = metadata
        self._log_id: str | None = None

    async def identity(self) -> str:
        """What tells this log from others; part of each cursor."""
        if self._log_id is None:
            scan = Scan(table=EVENT_FLOORS, limit=1, columns=("log_id",))
            self._log_id = str((await self._metadata.page(scan))["log_id"][0].as_py())
        return self._log_id

    async def cursor(self, position: Position) -> str:
        """`position` as clients see it."""
        return encode_position(await self.identity(), position)

    async def heads(self) -> Position:
        """After the last event: one read."""
        return await self._sequences(LANES)

    async def floors(self) -> Position:
        """Before the oldest event that is still there."""
        return await self._sequences(EVENT_FLOORS)

    async def resume(self, cursor: str, field: str) -> Position:
        """The position that a client's cursor stands for, if everything after it is there.

        Args:
            cursor: what the client sent.
            field: the name of the client's argument, for the error.

        Raises:
            InvalidInput: it is no cursor of this log, or lies in the future.
            CursorTooOld: events after it have been deleted.
        """
        position = decode_position(await self.identity(), cursor, field)
        heads = await self.heads()
        if any(sequence > heads.get(lane, 0) for lane, sequence in position.items()):
            raise InvalidInput(field, "cursor.ahead", "the cursor is ahead of the event log")
        floors = await self.floors()
        if any(position.get(lane, 0) < floor for lane, floor in floors.items()):
            raise await self._too_old()
        # Lanes that there are: each event told from here on carries a copy of the position.
        return {lane: sequence for lane, sequence in position.items() if sequence}

    async def read(
        self,
        after: Position,
        upto: Position,
        limit: int = READ_AT_ONCE,
        flow_ids: frozenset[str] | None = None,
    ) -> Batch:
        """The next events beyond `after`, up to `upto`, which are heads; a batch may be empty.

        Args:
            after: where to begin.
            upto: where to end.
            limit: how many to read of each lane, at most.
            flow_ids: of flows' events, leave out those of others than these.

        Raises:
            CursorTooOld: some of them have been deleted.
        """
        moved = [lane for lane, head in upto.items() if head > after.get(lane, 0)]
        lanes = await asyncio.gather(*(self._rows(lane, after, upto, limit) for lane in moved))
        for lane, rows in zip(moved, lanes, strict=True):
            if not rows or rows[-1]["sequence"] - after.get(lane, 0) != len(rows):
                raise await self._too_old()
        found = _affordable(_merged(lanes, upto))
        wanted = [row for row in found if _is_of(row, flow_ids)]
        parts = await self._parts(wanted)
        if any(len(parts.get(row["event_id"], ())) != row["part_count"] for row in wanted):
            # They were there with their event, and have been deleted with it since.
            raise await self._too_old()
        events = [event for row in wanted if (event := _read(row, parts)) is not None]
        return Batch(events, {**after, **{row["lane"]: row["sequence"] for row in found}})

    async def _sequences(self, table: Any) -> Position:
        scan = Scan(table=table, limit=_MOST_LANES, columns=("lane", "sequence"))
        rows = await self._metadata.page(scan)
        lanes = zip(rows["lane"].to_pylist(), rows["sequence"].to_pylist(), strict=True)
        return {lane: sequence for lane, sequence in lanes if sequence}

    async def _rows(
        self, lane: int, after: Position, upto: Position, limit: int
    ) -> list[dict[str, Any]]:
        begin = after.get(lane, 0)
        # No gaps: the last one is known, and an engine without limits need not look for it.
        last = min(upto[lane], begin + limit)
        scan = Scan(
            table=EVENTS,
            prefix=(lane,),
            after=(begin,),
            limit=limit,
            where=(Between("sequence", None, last + 1),),
        )
        found: list[dict[str, Any]] = (await self._metadata.page(scan)).to_pylist()
        return found

    async def _too_old(self) -> CursorTooOld:
        return CursorTooOld(await self.cursor(await self.floors()))

    async def _parts(self, rows: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
        counts = {row["event_id"]: row["part_count"] for row in rows if row["part_count"]}
        if not counts:
            return {}
        scan = Scan(table=EVENT_PARTS, limit=max(counts.values()))
        found = await self._metadata.first_per_key(scan, [(event_id,) for event_id in counts])
        texts: dict[str, list[str]] = {}
        for row in found.to_pylist():
            texts.setdefault(row["event_id"], []).append(row["payload_json"])
        return texts


def _is_of(row: Mapping[str, Any], flow_ids: frozenset[str] | None) -> bool:
    return flow_ids is None or row["flow_id"] is None or row["flow_id"] in flow_ids


def _read(row: Mapping[str, Any], parts: Mapping[str, Sequence[str]]) -> Event | None:
    """The event of `row`; ``None`` if this program can't read it, which must not hold up others."""
    try:
        return event_from_row(row, "".join(parts.get(row["event_id"], ())))
    except ValueError:
        _log.exception("event %s can't be read and is passed over", row["event_id"])
        return None


def _merged(lanes: Sequence[Sequence[Mapping[str, Any]]], upto: Position) -> list[Any]:
    """In order, without what might come after something that has not been read."""
    last = [rows[-1] for rows in lanes]
    cut = [_order(row) for row in last if row["sequence"] < upto[row["lane"]]]
    found = sorted((row for rows in lanes for row in rows), key=_order)
    return [row for row in found if _order(row) <= min(cut)] if cut else found


def _affordable(rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """The first of `rows`, with no more than `PARTS_AT_ONCE`, but at least one row."""
    counts = accumulate(row["part_count"] for row in rows)
    return rows[: max(1, sum(count <= PARTS_AT_ONCE for count in counts))]


def _order(row: Mapping[str, Any]) -> tuple[int, int, int]:
    return (row["hlc"], row["lane"], row["sequence"])
