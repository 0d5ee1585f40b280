"""Which timeline a flow has now: where its segments are (see `metadata.tables.FLOWS`).

Whoever has read a flow in this request has its timeline too, so that asking for segments of it
costs no further read.
"""

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial

from tams_graphql.metadata.engine import Key
from tams_graphql.metadata.tables import FLOWS
from tams_graphql.model.records import Flow
from tams_graphql.resolvers.context import Context

_KIND = "timeline"


async def timeline_of(ctx: Context, flow_id: str) -> str | None:
    """The flow's timeline, ``None`` if there is no such flow. Batched."""
    return await ctx.loaders.load(_KIND, partial(_load, ctx), flow_id)


async def timelines_of(ctx: Context, flow_ids: Sequence[str]) -> dict[str, str]:
    """The timelines of those of the flows that exist, in the order of `flow_ids`."""
    loaded = await asyncio.gather(*(timeline_of(ctx, flow_id) for flow_id in flow_ids))
    return {
        flow_id: timeline_id
        for flow_id, timeline_id in zip(flow_ids, loaded, strict=True)
        if timeline_id is not None
    }


def remember_timelines(ctx: Context, flows: Iterable[Flow]) -> None:
    """Spare the request a read of the timelines of `flows`, which it has just read."""
    read: dict[str, str | None] = {flow.id: flow.timeline_id for flow in flows}
    ctx.loaders.prime(_KIND, partial(_load, ctx), read)


async def _load(ctx: Context, flow_ids: Sequence[str]) -> list[str | None]:
    keys: list[Key] = [(flow_id,) for flow_id in flow_ids]
    rows = await ctx.metadata.get(FLOWS, keys, ("flow_id", "timeline_id"))
    found = dict(
        zip(rows["flow_id"].to_pylist(), rows["timeline_id"].to_pylist(), strict=True),
    )
    return [found.get(flow_id) for flow_id in flow_ids]
