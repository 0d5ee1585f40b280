"""Segments under concurrency: timelines never overlap, segments never lose their objects."""

import asyncio
import itertools
import random
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tams_graphql.metadata.engine import Scan
from tams_graphql.metadata.tables import OBJECTS, REFERENCES, SEGMENTS
from tams_graphql.model.errors import MediaStoreError, NotFound
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.flows import delete_flow
from tams_graphql.resolvers.objects import add_uncontrolled_instance
from tams_graphql.resolvers.segment_deletion import delete_segments
from tams_graphql.resolvers.segments import register_segments
from tams_graphql.timeline import TimeRange, format_timestamp
from tests.resolvers.conftest import fresh, uuid4
from tests.resolvers.segment_stories import (
    FLOW,
    OTHER,
    allocated,
    flow_now,
    post,
    recorded,
    registered,
    timeline,
    video_flow,
)


async def rows(ctx: Context, table: Any) -> list[dict[str, Any]]:
    found = await ctx.metadata.page(Scan(table=table, limit=100_000))
    return [dict(row) for row in found.to_pylist()]


async def assert_consistent(ctx: Context) -> None:
    """Segments have their objects, references are counted, registered objects are used."""
    segments = await rows(ctx, SEGMENTS)
    uses = Counter((one["object_id"], one["flow_id"]) for one in segments)
    stored = {
        (one["object_id"], one["flow_id"]): one["segment_count"]
        for one in await rows(ctx, REFERENCES)
    }
    assert stored == dict(uses)
    objects = {one["object_id"]: one for one in await rows(ctx, OBJECTS)}
    registered_ids = {name for name, one in objects.items() if one["state"] == "registered"}
    assert registered_ids == {one["object_id"] for one in segments}
    assert all(
        one["instances_json"] == objects[one["object_id"]]["instances_json"] for one in segments
    )


async def test_of_32_writers_one_wins_each_slot(ctx: Context) -> None:
    await video_flow(ctx)
    slots = [f"[{n}:0_{n + 1}:0)" for n in range(4)]
    await allocated(ctx, *(f"w{writer}-{n}" for writer in range(32) for n in range(4)))

    async def write(writer: int) -> int:
        posts = [post(f"w{writer}-{n}", slot) for n, slot in enumerate(slots)]
        random.Random(writer).shuffle(posts)
        registration = await register_segments(fresh(ctx), FLOW, posts)
        return len(registration.registered)

    assert sum(await asyncio.gather(*(write(writer) for writer in range(32)))) == 4
    assert [slot for _, slot in await timeline(ctx)] == slots
    flow = await flow_now(ctx)
    assert (flow.segment_count, str(flow.timerange)) == (4, "[0:0_4:0)")
    await assert_consistent(ctx)


async def test_the_last_reference_goes_while_another_flow_registers(ctx: Context) -> None:
    outcomes = Counter[bool]()
    for attempt in range(12):
        flows = uuid4(2 * attempt + 10), uuid4(2 * attempt + 11)
        for flow_id in flows:
            await video_flow(ctx, flow_id)
        prefix = f"a{attempt}-"
        await recorded(ctx, "[0:0_1:0)", flow_id=flows[0], prefix=prefix)
        deletion = delete_segments(fresh(ctx), flows[0])
        registration = register_segments(fresh(ctx), flows[1], [post(f"{prefix}0", "[0:0_1:0)")])
        both = (deletion, registration) if attempt % 2 else (registration, deletion)
        done = await asyncio.gather(*both)
        answer = done[1] if attempt % 2 else done[0]
        assert not isinstance(answer, int)
        outcomes[answer.registered.num_rows == 1] += 1
        await assert_consistent(ctx)
    assert sum(outcomes.values()) == 12


async def test_instances_change_while_segments_come_and_go(ctx: Context) -> None:
    await video_flow(ctx)
    await video_flow(ctx, OTHER)
    await recorded(ctx, "[0:0_1:0)")

    async def mirror(number: int) -> None:
        url = f"https://mirror.example/{number}"
        await add_uncontrolled_instance(fresh(ctx), "o0", url, f"m{number}")

    async def reuse(number: int) -> None:
        segment = post("o0", f"[{number}:0_{number + 1}:0)", ts_offset=f"{number}:0")
        await registered(fresh(ctx), segment, flow_id=OTHER)

    await asyncio.gather(*(one(n) for n in range(8) for one in (mirror, reuse)))
    await assert_consistent(ctx)
    assert len(await timeline(ctx, OTHER)) == 8


async def test_a_flow_goes_while_segments_arrive(ctx: Context) -> None:
    await video_flow(ctx)
    await allocated(ctx, *(f"o{n}" for n in range(8)))

    async def arrive(number: int) -> bool:
        segment = post(f"o{number}", f"[{number}:0_{number + 1}:0)")
        try:
            registration = await register_segments(fresh(ctx), FLOW, [segment])
        except NotFound:
            return False
        return not registration.failed

    await asyncio.gather(*(arrive(n) for n in range(4)), delete_flow(fresh(ctx), FLOW), arrive(5))
    assert await rows(ctx, SEGMENTS) == []
    await assert_consistent(ctx)


INSTANTS = st.integers(-3, 20)
RANGES = st.tuples(INSTANTS, st.integers(1, 6), st.sampled_from(")]"))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("register"), st.lists(RANGES, min_size=1, max_size=5)),
        st.tuples(st.just("delete"), st.lists(RANGES, min_size=1, max_size=1)),
    ),
    min_size=1,
    max_size=6,
)
_numbers = itertools.count(1000)


def _timerange(drawn: tuple[int, int, str]) -> TimeRange:
    start, length, closing = drawn
    return TimeRange.parse(
        f"[{format_timestamp(start)}_{format_timestamp(start + length)}{closing}"
    )


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
async def test_timelines_agree_with_a_naive_model(ctx: Context, steps: Any) -> None:
    flow_id = await video_flow(ctx, uuid4(next(_numbers)))
    model: list[TimeRange] = []
    for step, drawn in steps:
        ranges = [_timerange(one) for one in drawn]
        if step == "delete":
            count = (await delete_segments(ctx, flow_id, timerange=ranges[0])).count
            kept = [one for one in model if not ranges[0].contains(one)]
            assert count == len(model) - len(kept)
            model = kept
            continue
        names = [f"{flow_id}-{next(_numbers)}" for _ in ranges]
        await allocated(ctx, *names, flow_id=flow_id)
        posts = [post(name, str(one)) for name, one in zip(names, ranges, strict=True)]
        registration = await register_segments(ctx, flow_id, posts)
        refused = []
        for index, one in enumerate(ranges):
            if any(one.overlaps(other) for other in model):
                refused.append(index)
            else:
                model.append(one)
        assert [one.index for one in registration.failed] == refused
    model.sort(key=lambda one: one.start_ns or 0)
    assert [text for _, text in await timeline(ctx, flow_id)] == [str(one) for one in model]
    flow = await flow_now(ctx, flow_id)
    assert flow.segment_count == len(model)
    assert flow.covered_ns == sum(one.duration_ns or 0 for one in model)
    if model:
        ends = (model[0].start_ns, model[-1].end_ns, model[-1].bounds)
        assert (flow.timerange.start_ns, flow.timerange.end_ns, flow.timerange.bounds) == ends
    else:
        assert flow.timerange.is_empty


async def test_a_refused_race_leaves_only_typed_errors(ctx: Context) -> None:
    await video_flow(ctx)
    await allocated(ctx, "o")
    segment = post("o", "[0:0_1:0)")

    async def attempt(number: int) -> str:
        try:
            if number % 3:
                await register_segments(fresh(ctx), FLOW, [segment])
            else:
                within = TimeRange.parse("_")
                await delete_segments(fresh(ctx), FLOW, timerange=within)
        except MediaStoreError as error:
            return error.code
        return "done"

    assert set(await asyncio.gather(*(attempt(n) for n in range(24)))) == {"done"}
    await assert_consistent(ctx)
