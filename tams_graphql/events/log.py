"""Reading the event log (INVARIANTS, event order; ADR 0012).

1. Ask for the heads: the last sequence of every lane, in one read. Whatever an event rests on was
   committed before it, and so is below these heads if the event is.
2. Of each lane that has moved, read what is after one's position, up to its head.
3. Merge by clock, lane and sequence. If a lane had more than was asked for, hold back whatever
   comes after the last that was read of it.

Sequences have no gaps. One that is missing has been deleted by retention: whoever was to read
it has been too slow. Who reads the events of some flows only can't see gaps, and looks at the
floors after reading instead.
"""

import asyncio
import logging
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, TypeAlias

from tams_graphql.events.event import Event, event_from_row
from tams_graphql.events.position import Position, decode_position, encode_position
from tams_graphql.metadata.engine import Between, Filter, MetadataEngine, OneOf, Scan
from tams_graphql.metadata.event_tables import EVENT_FLOORS, EVENT_PARTS, EVENTS, LANES
from tams_graphql.model.errors import CursorTooOld, InvalidInput

READ_AT_ONCE = 500
"""How many events of a lane one read fetches."""

PASSED_AT_ONCE = 20_000
"""How many events of other flows one read for some flows passes over."""

PARTS_AT_ONCE = 1_000
"""How many parts of large events, of up to 96 KB each, one read fetches."""

Rows: TypeAlias = list[dict[str, Any]]

_log = logging.getLogger(__name__)
_MOST_FLOWS = 100
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
        flow_ids: Collection[str] | None = None,
    ) -> Batch:
        """The next events beyond `after`, up to `upto`, which are heads; a batch may be empty.

        Args:
            after: where to begin.
            upto: where to end.
            limit: how many to read of each lane, at most.
            flow_ids: of flows' events, those of others may be left out; ``None``: none may.

        Raises:
            CursorTooOld: some of them have been deleted.
        """
        moved: Position = {lane: head for lane, head in upto.items() if head > after.get(lane, 0)}
        if flow_ids is not None and len(flow_ids) > _MOST_FLOWS:
            flow_ids = None
        if flow_ids is not None:
            moved = _narrowed(after, moved)
        reads = (self._rows(lane, after, moved, limit, flow_ids) for lane in moved)
        lanes = dict(zip(moved, await asyncio.gather(*reads), strict=True))
        await self._require_all(after, lanes, flow_ids)
        full = {lane for lane, rows in lanes.items() if len(rows) >= limit}
        found, position = _merged(lanes, moved, full)
        parts = await self._parts(found)
        if any(len(parts.get(row["event_id"], ())) != row["part_count"] for row in found):
            # They were there with their event, and have been deleted with it since.
            raise await self._too_old()
        events = [event for row in found if (event := _read(row, parts)) is not None]
        return Batch(events, {**after, **position})

    async def _require_all(
        self, after: Position, lanes: Mapping[int, Rows], flow_ids: Collection[str] | None
    ) -> None:
        """Refuse what retention has overtaken, whatever of it was read."""
        if flow_ids is None:
            whole = all(
                rows and rows[-1]["sequence"] - after.get(lane, 0) == len(rows)
                for lane, rows in lanes.items()
            )
        else:
            # Sequences are missing anyway; but floors move before anything above them is gone.
            floors = await self.floors()
            whole = all(floors.get(lane, 0) <= after.get(lane, 0) for lane in lanes)
        if not whole:
            raise await self._too_old()

    async def _sequences(self, table: Any) -> Position:
        scan = Scan(table=table, limit=_MOST_LANES, columns=("lane", "sequence"))
        rows = await self._metadata.page(scan)
        lanes = zip(rows["lane"].to_pylist(), rows["sequence"].to_pylist(), strict=True)
        return {lane: sequence for lane, sequence in lanes if sequence}

    async def _rows(
        self,
        lane: int,
        after: Position,
        upto: Position,
        limit: int,
        flow_ids: Collection[str] | None,
    ) -> Rows:
        begin, last = after.get(lane, 0), upto[lane]
        where: list[Filter] = []
        if flow_ids is None:
            # No gaps: the last one is known, and an engine without limits need not look for it.
            last = min(last, begin + limit)
        else:
            where.append(OneOf("flow_id", (None, *flow_ids)))
        scan = Scan(
            table=EVENTS,
            prefix=(lane,),
            after=(begin,),
            limit=limit,
            where=(Between("sequence", None, last + 1), *where),
        )
        found: Rows = (await self._metadata.page(scan)).to_pylist()
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


def _read(row: Mapping[str, Any], parts: Mapping[str, Sequence[str]]) -> Event | None:
    """The event of `row`; ``None`` if this program can't read it, which must not hold up others."""
    try:
        return event_from_row(row, "".join(parts.get(row["event_id"], ())))
    except ValueError:
        _log.exception("event %s can't be read and is passed over", row["event_id"])
        return None


def _narrowed(after: Position, upto: Position) -> Position:
    """Nearer heads, so that one read does not pass over very many events of other flows.

    With several lanes these might hold back what comes before something that was read: they stay.
    """
    if len(upto) != 1:
        return upto
    return {lane: min(head, after.get(lane, 0) + PASSED_AT_ONCE) for lane, head in upto.items()}


def _merged(
    lanes: Mapping[int, Rows], upto: Position, full: Container[int]
) -> tuple[Rows, Position]:
    """In order, without what might come after something that has not been read; and how far.

    `full`: lanes of which the limit may have cut something off.
    """
    last = {lane: rows[-1] for lane, rows in lanes.items() if lane in full}
    cut = [_order(row) for lane, row in last.items() if row["sequence"] < upto[lane]]
    found = sorted((row for rows in lanes.values() for row in rows), key=_order)
    read = _affordable([row for row in found if not cut or _order(row) <= min(cut)])
    left = {row["lane"]: row["sequence"] - 1 for row in reversed(found[len(read) :])}
    ends = {lane: min(upto[lane], row["sequence"]) for lane, row in last.items()}
    return read, {**upto, **ends, **left}


def _affordable(rows: Rows) -> Rows:
    """The first of `rows`, with no more than `PARTS_AT_ONCE`, but at least one row."""
    counts = accumulate(row["part_count"] for row in rows)
    return rows[: max(1, sum(count <= PARTS_AT_ONCE for count in counts))]


def _order(row: Mapping[str, Any]) -> tuple[int, int, int]:
    return (row["hlc"], row["lane"], row["sequence"])
