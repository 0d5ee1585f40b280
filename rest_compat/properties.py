"""The single properties of Sources and Flows as resources, all made from one table.

A property that is not set is 404 to GET, unless the table names what stands for it; DELETE of
one that is not set is 204 all the same.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from starlette.responses import Response

from rest_compat.encoding import json_response, no_content
from rest_compat.resources import Body, Call, Handler, Operation, Resource, Schema, Told
from rest_compat.schemas import ref
from rest_compat.shapes import collection
from rest_compat.version_rules import (
    shown_tag,
    shown_tags,
    taken_collection,
    taken_tag,
    unseen_tag,
)
from rest_compat.versions import Version
from rest_compat.visibility import refuse_hidden_members, unseen_by, visible_flow
from tams_graphql.model.errors import InvalidInput, NotFound
from tams_graphql.model.records import Flow, Source
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.flows import get_flow, set_flow_property, set_flow_tag
from tams_graphql.resolvers.sources import get_source, set_source_property, set_source_tag

Record: TypeAlias = Source | Flow
More: TypeAlias = Mapping[str, Any]
_TEXT: Schema = {"type": "string"}
_RATE: Schema = {"type": "integer", "minimum": 0}


@dataclass(frozen=True, slots=True)
class Noun:
    """Whose properties they are, and how the resolvers read and change them."""

    kind: str
    path: str
    parameter: str
    read: Callable[[Context, str], Awaitable[Record]]
    set_property: Callable[..., Awaitable[Record]]
    set_tag: Callable[..., Awaitable[Record]]


async def _nothing_unseen(call: Call, value: Any) -> More:
    del call, value
    return {}


async def _collection_taken(call: Call, value: Any) -> More:
    taken_collection(call.version, value)
    await refuse_hidden_members(call, value)
    unseen = await unseen_by(call)
    return {} if unseen is None else {"restore": unseen.collection}


async def _rate_taken(call: Call, value: Any) -> More:
    del value
    return {"cuts_profile": call.version.has("profiles_unseen")}


@dataclass(frozen=True, slots=True)
class Property:
    """One property: `value` finds it in a record; `unset` is told where it is not set.

    `shown` makes it JSON for a version. `taken` gives what the resolver needs beside the value
    of a PUT, if the version of the request can't see all of what is stored.
    """

    name: str
    what: str
    schema: Schema
    value: Callable[[Any], Any]
    unset: Any = None
    removable: bool = True
    shown: Callable[[Any, Version], Any] = lambda value, _: value
    taken: Callable[[Call, Any], Awaitable[More]] = _nothing_unseen


SOURCE = Noun("source", "/sources/{sourceId}", "sourceId", get_source, set_source_property,
              set_source_tag)  # fmt: skip
FLOW = Noun("flow", "/flows/{flowId}", "flowId", get_flow, set_flow_property, set_flow_tag)

LABEL = Property("label", "a short label for listings", _TEXT, lambda record: record.label)
DESCRIPTION = Property(
    "description", "a longer text for detailed views", _TEXT, lambda record: record.description
)
SOURCE_PROPERTIES = (DESCRIPTION, LABEL)
FLOW_PROPERTIES = (
    DESCRIPTION,
    LABEL,
    Property(
        "read_only",
        "whether changes are refused",
        {"type": "boolean"},
        lambda record: record.read_only,
        unset=False,
        removable=False,
    ),
    Property(
        "flow_collection",
        "the Flows that this one collects, in order",
        ref("flow-collection"),
        lambda record: record.flow_collection,
        shown=collection,
        taken=_collection_taken,
    ),
    Property("max_bit_rate", "the peak, in 1000 bit/s", _RATE, lambda record: record.max_bit_rate),
    Property(
        "avg_bit_rate",
        "the mean, in 1000 bit/s",
        _RATE,
        lambda record: record.avg_bit_rate,
        taken=_rate_taken,
    ),
)


def _get_property(noun: Noun, prop: Property) -> Handler:
    async def handler(call: Call) -> Response:
        identifier = call.path[noun.parameter]
        record = await noun.read(call.ctx, identifier)
        if isinstance(record, Flow):
            record = await visible_flow(call, record)
        value = prop.value(record)
        if value is None:
            value = prop.unset
        if value is None:
            raise NotFound(f"{noun.kind}.{prop.name}", identifier)
        return json_response(prop.shown(value, call.version))

    return handler


def _put_property(noun: Noun, prop: Property) -> Handler:
    async def handler(call: Call) -> Response:
        value = _given(call, prop.name)
        more = await prop.taken(call, value)
        await noun.set_property(call.ctx, call.path[noun.parameter], prop.name, value, **more)
        return no_content()

    return handler


def _delete_property(noun: Noun, prop: Property) -> Handler:
    async def handler(call: Call) -> Response:
        more = await prop.taken(call, None)
        await noun.set_property(call.ctx, call.path[noun.parameter], prop.name, None, **more)
        return no_content()

    return handler


def _given(call: Call, field: str) -> Any:
    if call.body is None:
        raise InvalidInput(field, "null", "must not be null; use DELETE to remove it")
    return call.body


def _property_resource(noun: Noun, prop: Property) -> Resource:
    operations = {
        "GET": Operation(
            handler=_get_property(noun, prop),
            summary=f"The {noun.kind}'s {prop.name}: {prop.what}",
            answers={200: Told("The value.", prop.schema)},
        ),
        "PUT": Operation(
            handler=_put_property(noun, prop),
            summary=f"Set the {noun.kind}'s {prop.name}",
            body=Body(prop.schema),
            answers={204: Told("Set.")},
        ),
    }
    if prop.removable:
        operations["DELETE"] = Operation(
            handler=_delete_property(noun, prop),
            summary=f"Remove the {noun.kind}'s {prop.name}",
            answers={204: Told("Removed.")},
        )
    return Resource(f"{noun.path}/{prop.name}", operations)


def _get_tags(noun: Noun) -> Handler:
    async def handler(call: Call) -> Response:
        record = await noun.read(call.ctx, call.path[noun.parameter])
        return json_response(shown_tags(call.version, record.tags or {}))

    return handler


def _get_tag(noun: Noun) -> Handler:
    async def handler(call: Call) -> Response:
        record = await noun.read(call.ctx, call.path[noun.parameter])
        name = call.path["name"]
        if name not in record.tags:
            raise NotFound("tag", name)
        return json_response(shown_tag(call.version, record.tags[name]))

    return handler


def _put_tag(noun: Noun) -> Handler:
    async def handler(call: Call) -> Response:
        name = call.path["name"]
        value = taken_tag(call.version, name, _given(call, f"tags.{name}"))
        unseen = unseen_tag(call.version)
        more = {} if unseen is None else {"restore": unseen.tag}
        await noun.set_tag(call.ctx, call.path[noun.parameter], name, value, **more)
        return no_content()

    return handler


def _delete_tag(noun: Noun) -> Handler:
    async def handler(call: Call) -> Response:
        await noun.set_tag(call.ctx, call.path[noun.parameter], call.path["name"], None)
        return no_content()

    return handler


def _tag_resources(noun: Noun) -> tuple[Resource, Resource]:
    every = Operation(
        handler=_get_tags(noun),
        summary=f"All tags of the {noun.kind}",
        answers={200: Told("The tags.", ref("tags"))},
    )
    value = ref("tag-value")
    one = {
        "GET": Operation(
            handler=_get_tag(noun),
            summary=f"One tag of the {noun.kind}",
            answers={200: Told("Its value.", value)},
        ),
        "PUT": Operation(
            handler=_put_tag(noun),
            summary=f"Set one tag of the {noun.kind}",
            body=Body(value),
            answers={204: Told("Set.")},
        ),
        "DELETE": Operation(
            handler=_delete_tag(noun),
            summary=f"Remove one tag of the {noun.kind}",
            answers={204: Told("Removed.")},
        ),
    }
    return Resource(f"{noun.path}/tags", {"GET": every}), Resource(
        f"{noun.path}/tags/{{name}}", one
    )


def _resources(noun: Noun, properties: tuple[Property, ...]) -> tuple[Resource, ...]:
    return (*_tag_resources(noun), *(_property_resource(noun, prop) for prop in properties))


SOURCE_RESOURCES = _resources(SOURCE, SOURCE_PROPERTIES)
FLOW_RESOURCES = _resources(FLOW, FLOW_PROPERTIES)
