"""Events as webhooks are sent them: of every type, in the shape of every version."""

import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator

from rest_compat.event_bodies import TRIAL, EventBodies
from rest_compat.event_schemas import events_document
from rest_compat.versions import Version
from tams_graphql.events.event import Event
from tams_graphql.events.log import EventLog
from tams_graphql.events.position import START
from tams_graphql.metadata.engine import MetadataEngine
from tams_graphql.model.records import Webhook
from tams_graphql.model.vocabulary import EventType
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.webhooks import register_webhook
from tests.rest_compat.conftest import ARCHIVE
from tests.rest_compat.official import Official, find_official
from tests.rest_compat.stories import Json, fill, put_flow, seconds, uuid4, video
from tests.rest_compat.versions.world import (
    AUDIO,
    IMAGE,
    MULTI,
    SOURCES,
    VIDEO,
    each_version,
    version,
    versions,
)

EVERY = [one.value for one in EventType]
GONE = uuid4(20)


@pytest.fixture
def make_context(app: FastAPI) -> Any:
    return app.state.make_context


@pytest.fixture
async def told(world: httpx.AsyncClient, served: tuple[FastAPI, MetadataEngine]) -> list[Event]:
    """All that has happened in the world, and to a flow that went."""
    await put_flow(world, video(GONE, uuid4(120)))
    await fill(world, GONE, 2, "gone")
    await world.put(f"/flows/{GONE}/label", json="renamed")
    await world.delete(f"/flows/{GONE}/segments", params={"timerange": seconds(0, 1)})
    await world.delete(f"/flows/{GONE}")
    log = EventLog(served[1])
    return list((await log.read(START, await log.heads())).events)


async def hook(ctx: Context, of: Version, **given: Any) -> Webhook:
    body = {"url": "https://hook.example.com", "events": EVERY, **given}
    return await register_webhook(ctx, body, of.name)


async def bodies(ctx: Context, webhook: Webhook, events: list[Event]) -> list[Json]:
    made = [await EventBodies().body(ctx, webhook, event) for event in events]
    return [json.loads(one) for one in made if one is not None]


def schema_of(official: Official, what: str) -> Any:
    """The specification's, but for an erratum of its own (DECISIONS)."""
    request = official.document["webhooks"][what]["post"]["requestBody"]
    schema = json.loads(json.dumps(request["content"]["application/json"]["schema"]))
    if official.folder.name in {"6.0", "7.0"} and what == "flows/segments_deleted":
        assert schema["properties"]["event_type"]["const"] == "flows/segments_added"
        schema["properties"]["event_type"]["const"] = what
    return schema


@each_version
async def test_all_types_are_as_the_specification_has_them(
    make_context: Any, told: list[Event], version: Version
) -> None:
    official = find_official(version.name)
    webhook = await hook(make_context(), version, verbose_storage=True)
    made = await bodies(make_context(), webhook, told)
    assert {one["event_type"] for one in made} == set(EVERY)
    for one in made:
        official.check(schema_of(official, one["event_type"]), one)


async def test_our_own_schemas_say_the_same(make_context: Any, told: list[Event]) -> None:
    webhook = await hook(make_context(), version("8.2"), verbose_storage=True)
    ours = Draft202012Validator(events_document())
    for one in await bodies(make_context(), webhook, told):
        ours.validate(one)
        with pytest.raises(Exception, match="is not valid under any of the given schemas"):
            ours.validate({**one, "event": {}})


@each_version
async def test_flows_and_sources_look_as_the_version_lists_them(
    world: httpx.AsyncClient, make_context: Any, told: list[Event], version: Version
) -> None:
    webhook = await hook(make_context(), version)
    shown = {
        content["id"]: content
        for one in await bodies(make_context(), webhook, told)
        for name, content in one["event"].items()
        if name in {"flow", "source"}
    }
    hidden = {IMAGE, SOURCES[IMAGE]} if version.has("no_images") else set()
    assert hidden.isdisjoint(shown)
    for path, ids in (("flows", [VIDEO, AUDIO, IMAGE, MULTI]), ("sources", SOURCES.values())):
        for identifier in set(ids) - hidden:
            listed = (await world.get(f"{version.prefix}/{path}/{identifier}")).json()
            for of_later in ("segments_updated", "collected_by", "source_collection"):
                listed.pop(of_later, None)
                shown[identifier].pop(of_later, None)
            assert shown[identifier] == listed


WANTED: list[tuple[Json, str]] = [
    ({}, ""),
    ({"accept_get_urls": []}, "accept_get_urls="),
    ({"accept_get_urls": ["disk", "other"]}, "accept_get_urls=disk,other"),
    ({"accept_storage_ids": [ARCHIVE]}, f"accept_storage_ids={ARCHIVE}"),
    ({"presigned": True}, "presigned=true"),
    ({"presigned": False}, "presigned=false"),
    ({"verbose_storage": True}, "verbose_storage=true"),
    ({"include_object_timerange": True}, "include_object_timerange=true"),
]


def without_signatures(segments: Any) -> Any:
    """Each is signed anew."""
    for segment in segments:
        for url in [*segment["get_urls"], *segment.get("init_object", {}).get("get_urls", [])]:
            url["url"] = url["url"].partition("?")[0]
    return segments


@versions("6.0", "7.0", "8.1", "8.2")
@pytest.mark.parametrize("wanted", WANTED, ids=[query for _, query in WANTED])
async def test_segments_have_the_urls_that_the_same_query_lists(
    world: httpx.AsyncClient,
    make_context: Any,
    told: list[Event],
    version: Version,
    wanted: tuple[Json, str],
) -> None:
    given, query = wanted
    kept = {k: v for k, v in given.items() if k not in version.unknown["webhook"]}
    webhook = await hook(make_context(), version, **kept)
    added = [
        one["event"]
        for one in await bodies(make_context(), webhook, told)
        if one["event_type"] == "flows/segments_added"
    ]
    for flow_id in (VIDEO, AUDIO):
        (event,) = [one for one in added if one["flow_id"] == flow_id]
        query = query if kept == given else ""
        listed = await world.get(f"{version.prefix}/flows/{flow_id}/segments?{query}")
        assert without_signatures(event["segments"]) == without_signatures(listed.json())


@versions("6.0", "7.0")
async def test_images_are_told_to_whom_they_can_be_shown(
    make_context: Any, told: list[Event], version: Version
) -> None:
    webhook = await hook(make_context(), version)
    of_images = [one for one in told if one.payload["format"] == "urn:x-tam:format:image"]
    made = await bodies(make_context(), webhook, of_images)
    assert [one["event_type"] for one in made] == (
        []
        if version.name == "6.0"
        else ["sources/created", "flows/created", "flows/segments_added"]
    )
    shown = json.dumps(await bodies(make_context(), webhook, told))
    assert (IMAGE in shown) == (version.name != "6.0")


async def test_a_trial_says_so(make_context: Any) -> None:
    webhook = await hook(make_context(), version("8.2"))
    assert json.loads(EventBodies().trial(webhook, 1_700_000_000_000_000)) == {
        "event_timestamp": "2023-11-14T22:13:20.000000Z",
        "event_type": TRIAL,
        "event": {"webhook_id": webhook.id, "message": "This is a test: nothing has happened."},
    }
