"""Scenarios in which two commands must not both have their way, and how each one ended.

Each is written as a resolver would write it: check in the snapshot, then change. `other` is a
second process's engine on the same index; without one, both commands go to one engine.
"""

import asyncio
from typing import Any

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import (
    Changes,
    MetadataEngine,
    Scan,
    View,
    creation,
    flow,
    media_object,
)
from tests.metadata.rows import object_row, reference_row, segment_row, source_row, stored

FLOWS, OBJECTS, REFERENCES, SEGMENTS = (
    tables.FLOWS,
    tables.OBJECTS,
    tables.REFERENCES,
    tables.SEGMENTS,
)


async def two_creations(
    engine: MetadataEngine, source_id: str, other: MetadataEngine | None = None
) -> list[str]:
    """Two clients create the same source; the incarnations that exist afterwards."""

    async def create(engine: MetadataEngine, incarnation: str) -> bool:
        def command(view: View) -> Changes[bool]:
            if view.get(tables.SOURCES, [(source_id,)]).num_rows:
                return Changes(answer=False)
            row = source_row(source_id, incarnation=incarnation)
            return Changes(answer=True, insert={tables.SOURCES: [row]})

        return await engine.commit(command, [creation("source", source_id)])

    await asyncio.gather(create(engine, "ours"), create(other or engine, "theirs"))
    found = await engine.get(tables.SOURCES, [(source_id,)], ("incarnation",))
    incarnations: list[str] = found.column("incarnation").to_pylist()
    return incarnations


async def two_registrations(
    engine: MetadataEngine, flow_id: str, other: MetadataEngine | None = None
) -> int:
    """Two clients register overlapping segments; how many are stored. The flow must exist."""

    async def register(engine: MetadataEngine, start_ns: int, end_ns: int) -> None:
        def command(view: View) -> Changes[None]:
            taken = Scan(table=SEGMENTS, prefix=(flow_id,), overlapping=(start_ns, end_ns))
            if view.page(taken).num_rows:
                return Changes(answer=None)
            row = segment_row(flow_id, start_ns, end_ns)
            return Changes(answer=None, insert={SEGMENTS: [row]})

        await engine.commit(command, [flow(flow_id)])

    await asyncio.gather(register(engine, 0, 10), register(other or engine, 5, 15))
    return await engine.count(Scan(table=SEGMENTS, prefix=(flow_id,)))


async def last_reference(
    engine: MetadataEngine, object_id: str, other: MetadataEngine | None = None
) -> dict[str, Any]:
    """One flow drops the last segment of an object while another flow registers it."""
    leaving, joining = f"{object_id} leaving", f"{object_id} joining"
    await stored(engine, OBJECTS, object_row(object_id))
    await stored(engine, SEGMENTS, segment_row(leaving, 0, 10, object_id=object_id))
    await stored(engine, REFERENCES, reference_row(object_id, leaving))

    def drop(view: View) -> Changes[str]:
        others = view.page(Scan(table=REFERENCES, prefix=(object_id,), limit=2)).num_rows > 1
        return Changes(
            answer="kept the object" if others else "deleted the object",
            delete={
                SEGMENTS: [(leaving, 0)],
                REFERENCES: [(object_id, leaving)],
                OBJECTS: [] if others else [(object_id,)],
            },
        )

    def register(view: View) -> Changes[str]:
        if not view.get(OBJECTS, [(object_id,)]).num_rows:
            return Changes(answer="refused")
        return Changes(
            answer="registered",
            insert={
                SEGMENTS: [segment_row(joining, 0, 10, object_id=object_id)],
                REFERENCES: [reference_row(object_id, joining)],
            },
        )

    answers = await asyncio.gather(
        engine.commit(drop, [flow(leaving), media_object(object_id)]),
        (other or engine).commit(register, [flow(joining), media_object(object_id)]),
    )
    by_object = Scan(table=SEGMENTS, order="object", prefix=(object_id,))
    return {
        "answers": set(answers),
        "object exists": (await engine.get(OBJECTS, [(object_id,)])).num_rows == 1,
        "segments": await engine.count(by_object),
        "references": await engine.count(Scan(table=REFERENCES, prefix=(object_id,))),
    }


def is_sound(outcome: dict[str, Any]) -> bool:
    """Whether the object of `last_reference` is there exactly if a segment uses it."""
    kept = outcome["answers"] == {"kept the object", "registered"}
    gone = outcome["answers"] == {"deleted the object", "refused"}
    left = 1 if kept else 0
    return (
        (kept or gone)
        and outcome["object exists"] is kept
        and outcome["segments"] == outcome["references"] == left
    )
