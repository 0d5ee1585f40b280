"""Every resolver passes the one seam: a principal who may nothing reads and changes nothing."""

import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from tams_graphql.model.errors import Forbidden
from tams_graphql.model.records import MediaObject
from tams_graphql.model.vocabulary import DeletionSort
from tams_graphql.resolvers import (
    copies,
    deletions,
    deliveries,
    events,
    flows,
    objects,
    profiles,
    segment_deletion,
    segments,
    service,
    sources,
    storage,
    timeline,
    webhook_secrets,
    webhooks,
)
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.events import EventFilter
from tams_graphql.resolvers.filters import FlowFilter, ProfileFilter, SourceFilter
from tams_graphql.resolvers.paging import PageRequest
from tests.resolvers.conftest import uuid4, video
from tests.resolvers.segment_stories import FLOW, SOURCE, video_flow

Ask = Callable[[Context], Any]
PAGE = PageRequest()
NEW = uuid4(77)
INIT = MediaObject(
    id="a",
    incarnation=uuid4(78),
    role="init",
    first_referenced_by_flow=None,
    timerange=None,
    key_frame_count=None,
    content_type=None,
    init_object_id=None,
    instances=(),
    created_us=0,
)

RESOLVERS: dict[str, Ask] = {
    "service_info": service.service_info,
    "update_service": lambda ctx: service.update_service(ctx, {"name": "x"}),
    "list_storage_backends": lambda ctx: service.list_storage_backends(ctx, PAGE),
    "get_source": lambda ctx: sources.get_source(ctx, SOURCE),
    "list_sources": lambda ctx: sources.list_sources(ctx, SourceFilter(), PAGE),
    "count_sources": lambda ctx: sources.count_sources(ctx, SourceFilter()),
    "set_source_property": lambda ctx: sources.set_source_property(ctx, SOURCE, "label", "x"),
    "set_source_tag": lambda ctx: sources.set_source_tag(ctx, SOURCE, "a", "b"),
    "update_source": lambda ctx: sources.update_source(ctx, SOURCE, {"label": "x"}, {}),
    "source_collection": lambda ctx: sources.source_collection(ctx, SOURCE),
    "source_collected_by": lambda ctx: sources.source_collected_by(ctx, SOURCE),
    "get_flow": lambda ctx: flows.get_flow(ctx, FLOW),
    "list_flows": lambda ctx: flows.list_flows(ctx, FlowFilter(), PAGE),
    "count_flows": lambda ctx: flows.count_flows(ctx, FlowFilter()),
    "flows_of_source": lambda ctx: flows.flows_of_source(ctx, SOURCE, 1),
    "flow_collected_by": lambda ctx: flows.flow_collected_by(ctx, FLOW),
    "put_flow": lambda ctx: flows.put_flow(ctx, NEW, video(NEW, SOURCE)),
    "set_flow_property": lambda ctx: flows.set_flow_property(ctx, FLOW, "label", "x"),
    "set_flow_tag": lambda ctx: flows.set_flow_tag(ctx, FLOW, "a", "b"),
    "update_flow": lambda ctx: flows.update_flow(ctx, FLOW, {"label": "x"}, {}),
    "delete_flow": lambda ctx: flows.delete_flow(ctx, FLOW),
    "flow_timerange": lambda ctx: flows.flow_timerange(ctx, FLOW, None),
    "list_segments": lambda ctx: segments.list_segments(ctx, FLOW, PAGE),
    "count_segments": lambda ctx: segments.count_segments(ctx, FLOW),
    "register_segments": lambda ctx: segments.register_segments(ctx, FLOW, []),
    "get_deletion_request": lambda ctx: deletions.get_deletion_request(ctx, "a"),
    "list_deletion_requests": lambda ctx: deletions.list_deletion_requests(
        ctx, DeletionSort.CREATED, PAGE
    ),
    "count_deletion_requests": deletions.count_deletion_requests,
    "delete_segments": lambda ctx: segment_deletion.delete_segments(ctx, FLOW),
    "allocate_storage": lambda ctx: storage.allocate_storage(ctx, FLOW, {}),
    "get_object": lambda ctx: objects.get_object(ctx, "a"),
    "first_flow": lambda ctx: objects.first_flow(ctx, INIT),
    "object_flows": lambda ctx: objects.object_flows(ctx, "a", PAGE),
    "add_uncontrolled_instance": lambda ctx: objects.add_uncontrolled_instance(
        ctx, "a", "https://b", "c"
    ),
    "copy_instance": lambda ctx: copies.copy_instance(ctx, "a", uuid4(1)),
    "object_copies": lambda ctx: copies.object_copies(ctx, INIT),
    "remove_instance": lambda ctx: objects.remove_instance(ctx, "a", label="c"),
    "get_profile": lambda ctx: profiles.get_profile(ctx, NEW),
    "list_profiles": lambda ctx: profiles.list_profiles(ctx, ProfileFilter(), PAGE),
    "count_profiles": lambda ctx: profiles.count_profiles(ctx, ProfileFilter()),
    "create_profile": lambda ctx: profiles.create_profile(ctx, NEW, {}),
    "named_profiles": lambda ctx: profiles.named_profiles(ctx, {"profile_id": NEW}),
    "get_webhook": lambda ctx: webhooks.get_webhook(ctx, NEW),
    "list_webhooks": lambda ctx: webhooks.list_webhooks(ctx, PAGE),
    "count_webhooks": webhooks.count_webhooks,
    "register_webhook": lambda ctx: webhooks.register_webhook(ctx, {}),
    "replace_webhook": lambda ctx: webhooks.replace_webhook(ctx, NEW, {}),
    "upsert_webhook": lambda ctx: webhooks.upsert_webhook(ctx, {}, "7.0", frozenset()),
    "update_webhook": lambda ctx: webhooks.update_webhook(ctx, NEW, {}),
    "delete_webhook": lambda ctx: webhooks.delete_webhook(ctx, NEW),
    "waiting_of": lambda ctx: deliveries.waiting_of(ctx, NEW),
    "list_deliveries": lambda ctx: deliveries.list_deliveries(ctx, NEW, PAGE),
    "count_deliveries": lambda ctx: deliveries.count_deliveries(ctx, NEW),
    "get_delivery": lambda ctx: deliveries.get_delivery(ctx, f"{NEW}.1.{NEW}"),
    "redeliver": lambda ctx: deliveries.redeliver(ctx, f"{NEW}.1.{NEW}"),
    "try_webhook": lambda ctx: deliveries.try_webhook(ctx, NEW),
    "rotate_secret": lambda ctx: webhook_secrets.rotate_secret(ctx, NEW),
    "subscribe": lambda ctx: anext(events.subscribe(ctx, EventFilter())),
    "event_cursors": events.event_cursors,
    "coverage": lambda ctx: timeline.coverage(ctx, FLOW, None, 0, 10),
    "gaps": lambda ctx: timeline.gaps(ctx, FLOW, None, 0, 10),
    "compose_flow": lambda ctx: timeline.compose_flow(ctx, NEW, {}, [], 0),
}


@pytest.fixture
def nothing_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise Forbidden("nobody may do anything")

    for name, module in list(sys.modules.items()):
        if name.startswith("tams_graphql.resolvers.") and hasattr(module, "authorise"):
            monkeypatch.setattr(module, "authorise", refuse)


async def _asked(ask: Ask, ctx: Context) -> None:
    answer = ask(ctx)
    if isinstance(answer, Awaitable):
        await answer


@pytest.mark.parametrize("name", RESOLVERS)
async def test_a_principal_who_may_nothing_is_refused(
    ctx: Context,
    dump: Callable[[], Coroutine[Any, Any, Any]],
    name: str,
    request: pytest.FixtureRequest,
) -> None:
    await video_flow(ctx)
    before = await dump()
    request.getfixturevalue("nothing_is_allowed")
    with pytest.raises(Forbidden):
        await _asked(RESOLVERS[name], ctx)
    assert await dump() == before


def test_every_public_resolver_is_in_the_table() -> None:
    modules = (service, sources, flows, profiles, segments, storage, objects, copies, timeline)
    modules += (deletions, segment_deletion, webhooks, webhook_secrets, deliveries, events)
    helpers = {"may_upload", "upload_request", "container_of", "known_store", "backend_labels"}
    helpers |= {"known_text", "load_objects", "registered_object", "resume_copies"}
    helpers |= {"event_flow", "event_source", "event_source_collection", "event_segments"}
    helpers |= {"event_timerange", "begin_now", "log_of", "sealed_secret", "signing_secret"}
    helpers |= {"trim_deliveries"}
    helpers |= {"is_long", "kept_until", "later_than", "request_deletion", "request_from_row"}
    public = {
        name
        for module in modules
        for name, value in vars(module).items()
        if callable(value)
        and getattr(value, "__module__", "") == module.__name__
        and not name.startswith("_")
        and not isinstance(value, type)
    }
    assert public - helpers == set(RESOLVERS)
