"""``/objects/{objectId}`` and its instances."""

from dataclasses import replace

from starlette.responses import Response

from rest_compat import get_urls, shapes
from rest_compat.encoding import json_response, no_content
from rest_compat.paging import next_headers, page_request
from rest_compat.parameters import PAGING, Parameter, TagParameter, text
from rest_compat.resources import Body, Call, Operation, Resource, Told
from rest_compat.schemas import ref
from tams_graphql.model.errors import InvalidInput, NotFound
from tams_graphql.model.identifiers import required_uuid
from tams_graphql.model.records import MediaObject
from tams_graphql.resolvers.copies import copy_instance
from tams_graphql.resolvers.objects import (
    add_uncontrolled_instance,
    first_flow,
    get_object,
    object_flows,
    remove_instance,
)

FLOW_TAGS = TagParameter("flow_tag", "Flows in `referenced_by_flows`")
STORAGE_ID: Parameter[str | None] = Parameter(
    "storage_id", "The instance in this storage backend.", {"type": "string"}, text, None
)
LABEL: Parameter[str | None] = Parameter(
    "label", "The instance with this label.", {"type": "string"}, text, None
)


async def get_one(call: Call) -> Response:
    """One object; the Flows that use it come in pages."""
    object_id = call.path["objectId"]
    page = page_request(call, ordered=False)
    found = await get_object(call.ctx, object_id)
    _refuse_init(call, found)
    flows = await object_flows(call.ctx, object_id, page, call.query[FLOW_TAGS])
    init = found.init_object_id and await get_object(call.ctx, found.init_object_id)
    found = replace(found, first_referenced_by_flow=await first_flow(call.ctx, found))
    urls, init_urls = get_urls.urls_of(call, [found.instances, init.instances if init else ()])
    body = shapes.media_object(found, flows.items, urls, init_urls, call.version)
    return json_response(body, headers=next_headers(call, page, flows.next_cursor))


def _refuse_init(call: Call, found: MediaObject) -> None:
    """Raises `NotFound` for an initialisation object that the version can't see."""
    if found.role == "init" and call.version.has("no_init_objects"):
        raise NotFound("object", found.id)


async def _refuse_unseen(call: Call) -> None:
    if call.version.has("no_init_objects"):
        _refuse_init(call, await get_object(call.ctx, call.path["objectId"]))


async def post_instance(call: Call) -> Response:
    """Advertise the object at another URL, or copy it to another storage backend."""
    await _refuse_unseen(call)
    object_id, body = call.path["objectId"], call.body
    if not isinstance(body, dict):
        raise InvalidInput("body", "type", "must be a JSON object")
    if "storage_id" not in body:
        url, label = _text(body, "url"), _text(body, "label")
        await add_uncontrolled_instance(call.ctx, object_id, url, label)
    elif "url" in body and "label" in body:
        raise InvalidInput("storage_id", "ambiguous", "give either storage_id, or url and label")
    else:
        storage_id = required_uuid("storage_id", _text(body, "storage_id"))
        await copy_instance(call.ctx, object_id, storage_id)
    return json_response(None, 201)


def _text(body: shapes.Json, name: str) -> str:
    if name not in body:
        raise InvalidInput(name, "required", "is required")
    value = body[name]
    if not isinstance(value, str):
        raise InvalidInput(name, "type", "must be a string")
    return value


async def delete_instance(call: Call) -> Response:
    """Stop advertising an instance."""
    await _refuse_unseen(call)
    await remove_instance(
        call.ctx,
        call.path["objectId"],
        storage_id=call.query[STORAGE_ID],
        label=call.query[LABEL],
    )
    return no_content()


RESOURCES = (
    Resource(
        "/objects/{objectId}",
        {
            "GET": Operation(
                handler=get_one,
                summary="One Media Object or initialisation object",
                description="404 until a segment uses it.",
                parameters=(*get_urls.PARAMETERS, FLOW_TAGS, *PAGING),
                answers={
                    200: Told(
                        "The object.", ref("object"), ("Link", "X-Paging-Limit", "X-Paging-NextKey")
                    )
                },
            )
        },
    ),
    Resource(
        "/objects/{objectId}/instances",
        {
            "POST": Operation(
                handler=post_instance,
                summary="Add an instance of an object",
                description="With `storage_id` the bytes are copied to that storage backend, and"
                " advertised there once all of them are: for large objects that is after the"
                " answer. They come from another storage backend: nothing is fetched from"
                " uncontrolled URLs. With `url` and `label` they are advertised where they are.",
                body=Body(ref("objects-instances-post")),
                answers={201: Told("Added.")},
            ),
            "DELETE": Operation(
                handler=delete_instance,
                summary="Remove an instance of an object",
                description="Name it by `storage_id` or by `label`. The last one stays. A copy"
                " that is still being made is cancelled.",
                parameters=(STORAGE_ID, LABEL),
                answers={204: Told("Removed.")},
            ),
        },
    ),
)
