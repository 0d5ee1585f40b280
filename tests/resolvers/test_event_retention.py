"""Old events go, lane by lane from the oldest on; who needed them is told, nobody else notices."""

from dataclasses import replace

import pytest

from tams_graphql.events.log import EventLog
from tams_graphql.events.position import START
from tams_graphql.metadata.engine import Changes, Row, Scan, View
from tams_graphql.metadata.event_tables import EVENT_PARTS, LANES
from tams_graphql.model.errors import CursorTooOld
from tams_graphql.resolvers.context import Context, now_us
from tams_graphql.resolvers.event_retention import forget_events
from tams_graphql.resolvers.flows import put_flow, set_flow_property
from tests.resolvers.conftest import fresh, uuid4, video

FLOW, SOURCE = uuid4(1), uuid4(101)
HOUR = 3600
AN_HOUR_AND_SOME_SKEW = 3600 + 400


@pytest.fixture
async def log(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> EventLog:
    """Ten events that have just happened; one is larger than a cell."""
    monkeypatch.setattr(ctx.metadata, "background_rows", 3)
    ctx.service = replace(ctx.service, event_retention=HOUR)
    await put_flow(ctx, FLOW, video(FLOW, SOURCE, description="d" * 30_000))
    for n in range(8):
        await set_flow_property(fresh(ctx), FLOW, "label", f"{n}")
    return EventLog(ctx.metadata)


async def test_young_events_stay(ctx: Context, log: EventLog) -> None:
    ctx.clock = lambda: now_us() + 60_000_000
    assert await forget_events(ctx) == 0
    assert len((await log.read(START, await log.heads())).events) == 10


async def test_old_events_go_with_their_parts(ctx: Context, log: EventLog) -> None:
    start, heads = await log.cursor(START), await log.heads()
    assert await ctx.metadata.count(Scan(table=EVENT_PARTS)) == 18
    ctx.clock = lambda: now_us() + AN_HOUR_AND_SOME_SKEW * 1_000_000
    assert await forget_events(ctx) == 10
    assert await forget_events(ctx) == 0
    assert await log.floors() == heads
    assert await ctx.metadata.count(Scan(table=EVENT_PARTS)) == 0
    with pytest.raises(CursorTooOld) as refusal:
        await log.resume(start, "after")
    assert await log.resume(refusal.value.oldest, "after") == heads


async def test_events_after_those_that_went_are_read_as_before(ctx: Context, log: EventLog) -> None:
    heads = await log.heads()
    ctx.clock = lambda: now_us() + AN_HOUR_AND_SOME_SKEW * 1_000_000
    await forget_events(ctx)
    await set_flow_property(fresh(ctx), FLOW, "label", "new")
    (event,) = (await log.read(heads, await log.heads())).events
    assert event.payload["flow"]["label"] == "new"


async def test_a_clock_that_was_wrong_once_does_not_keep_events_for_ever(
    ctx: Context, log: EventLog
) -> None:
    def in_2099(view: View) -> Changes[None]:
        lanes = view.page(Scan(table=LANES, limit=100)).to_pylist()
        ahead: list[Row] = [{"lane": row["lane"], "hlc": 4_070_908_800_000_000} for row in lanes]
        return Changes(answer=None, update={LANES: ahead})

    await ctx.metadata.commit(in_2099, [])
    ctx.clock = now_us
    for n in range(4):
        await set_flow_property(fresh(ctx), FLOW, "label", f"later {n}")
    assert await forget_events(ctx) == 0
    ctx.clock = lambda: now_us() + AN_HOUR_AND_SOME_SKEW * 1_000_000
    assert await forget_events(ctx) == 14
    assert await log.floors() == await log.heads()
