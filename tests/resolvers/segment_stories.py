"""What the tests of segments and objects tell again and again, through the resolvers."""

from typing import Any

import pyarrow as pa

from tams_graphql.model.records import Flow
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.flows import get_flow, put_flow
from tams_graphql.resolvers.paging import PageRequest
from tams_graphql.resolvers.segments import Registration, list_segments, register_segments
from tams_graphql.resolvers.storage import allocate_storage
from tams_graphql.timeline import format_timerange
from tests.resolvers.conftest import fresh, uuid4, video

FLOW, OTHER = uuid4(1), uuid4(2)
SOURCE = uuid4(100)


async def video_flow(ctx: Context, flow_id: str = FLOW, **changes: Any) -> str:
    await put_flow(ctx, flow_id, video(flow_id, SOURCE, **changes))
    return flow_id


async def fmp4_flow(ctx: Context, flow_id: str = FLOW, **changes: Any) -> str:
    """A flow whose media objects need initialisation objects."""
    essence = video(flow_id, SOURCE)["essence_parameters"] | {"init_segments": True}
    return await video_flow(ctx, flow_id, essence_parameters=essence, **changes)


async def allocated(ctx: Context, *object_ids: str, flow_id: str = FLOW) -> None:
    await allocate_storage(ctx, flow_id, {"object_ids": list(object_ids)})


def post(object_id: str, timerange: str, **properties: Any) -> dict[str, Any]:
    return {"object_id": object_id, "timerange": timerange, **properties}


async def registered(ctx: Context, *posts: dict[str, Any], flow_id: str = FLOW) -> Registration:
    """Register segments, all of which must be accepted."""
    registration = await register_segments(ctx, flow_id, posts)
    assert [str(one.error) for one in registration.failed] == []
    return registration


async def recorded(ctx: Context, *timeranges: str, flow_id: str = FLOW, prefix: str = "o") -> None:
    """A segment of a new object ``o0``, ``o1``, ... on each timerange."""
    names = [f"{prefix}{index}" for index in range(len(timeranges))]
    await allocated(ctx, *names, flow_id=flow_id)
    posts = [post(name, timerange) for name, timerange in zip(names, timeranges, strict=True)]
    await registered(ctx, *posts, flow_id=flow_id)


def told(columns: pa.Table) -> list[tuple[str, str]]:
    """Object id and timerange of each segment."""
    return [
        (row["object_id"], format_timerange(row["start_ns"], row["end_ns"], row["bounds"]))
        for row in columns.to_pylist()
    ]


async def timeline(ctx: Context, flow_id: str = FLOW) -> list[tuple[str, str]]:
    """All of a flow's segments."""
    page = await list_segments(fresh(ctx), flow_id, PageRequest(limit=5000))
    return told(page.columns)


async def flow_now(ctx: Context, flow_id: str = FLOW) -> Flow:
    return await get_flow(fresh(ctx), flow_id)


def only_problem(error: Any) -> tuple[str, str]:
    """Field and rule of an error that names one problem."""
    (problem,) = error.problems
    return problem.field, problem.rule
