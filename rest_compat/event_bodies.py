"""Events as the webhooks of the spec are told of them (spec 8.2, `webhooks`).

Each webhook gets the shape of the version that it was registered under, and in it the URLs that
it asks for: the same code as for the listings of that version.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import orjson

from rest_compat import get_urls, shapes
from rest_compat.encoding import plain
from rest_compat.parameters import Parameter, Query
from rest_compat.resources import Call
from rest_compat.segments import OBJECT_TIMERANGE, segments_json
from rest_compat.version_rules import shown_formats
from rest_compat.versions import NEWEST, VERSIONS
from rest_compat.visibility import visible_flow, visible_ids, visible_items
from tams_graphql.events.event import Event
from tams_graphql.model.records import Webhook
from tams_graphql.model.vocabulary import EventType
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.events import (
    event_flow,
    event_segments,
    event_source,
    event_source_collection,
    event_timerange,
)

TRIAL: Final = "webhooks/test"
"""The type of an event that is only a trial, which is none of the spec's."""

_BY_NAME: Final = {version.name: version for version in VERSIONS}
_PARAMETERS: tuple[Parameter[Any], ...] = (*get_urls.PARAMETERS, OBJECT_TIMERANGE)


class EventBodies:
    """`resolvers.context.BodyMaker` in the spec's shapes."""

    async def body(self, ctx: Context, webhook: Webhook, event: Event) -> bytes | None:
        """As `BodyMaker.body`."""
        call = _call(ctx, webhook)
        formats = shown_formats(call.version)
        if formats is not None and event.payload["format"] not in formats:
            return None
        return _encoded(event.type, event.occurred_us, await event_json(call, event))

    def trial(self, webhook: Webhook, occurred_us: int) -> bytes:
        """As `BodyMaker.trial`."""
        message = "This is a test: nothing has happened."
        return _encoded(TRIAL, occurred_us, {"webhook_id": webhook.id, "message": message})


async def event_json(call: Call, event: Event) -> shapes.Json:
    """What is told of an event, beside its type and time."""
    match event.type:
        case EventType.FLOWS_CREATED | EventType.FLOWS_UPDATED:
            return {"flow": await _flow(call, event)}
        case EventType.FLOWS_DELETED:
            return {"flow_id": event.flow_id}
        case EventType.FLOWS_SEGMENTS_ADDED:
            segments = await asyncio.to_thread(segments_json, call, event_segments(event))
            return {"flow_id": event.flow_id, "segments": segments}
        case EventType.FLOWS_SEGMENTS_DELETED:
            return {"flow_id": event.flow_id, "timerange": str(event_timerange(event))}
        case EventType.SOURCES_CREATED | EventType.SOURCES_UPDATED:
            return {"source": await _source(call, event)}
        case EventType.SOURCES_DELETED:
            return {"source_id": event.source_id}


def _call(ctx: Context, webhook: Webhook) -> Call:
    """A request of the webhook's version that asks for the URLs that the webhook wants."""
    version = _BY_NAME.get(webhook.api_version, NEWEST)
    query = Query({one.name: _asked(one, webhook.filters) for one in _PARAMETERS}, ())
    return Call(ctx=ctx, template="", path={}, query=query, public_url="", version=version)


def _asked(parameter: Parameter[Any], filters: Mapping[str, Any]) -> Any:
    value = filters.get(parameter.name)
    if value is None:
        return parameter.default
    return tuple(value) if isinstance(value, list) else value


async def _flow(call: Call, event: Event) -> shapes.Json:
    by = await visible_ids(call, "flow", event.payload["flow_collected_by"])
    flow = await visible_flow(call, event_flow(event))
    return shapes.flow(flow, by, None, call.version)


async def _source(call: Call, event: Event) -> shapes.Json:
    by = await visible_ids(call, "source", event.payload["source_collected_by"])
    collects = await visible_items(call, "source", event_source_collection(event))
    return shapes.source(event_source(event), collects, by, call.version)


def _encoded(what: str, occurred_us: int, content: shapes.Json) -> bytes:
    at = shapes.date_time(occurred_us)
    body = {"event_timestamp": at, "event_type": what, "event": content}
    return orjson.dumps(body, default=plain)
