"""The REST face's OpenAPI 3.1 document, made from the resources that are served."""

import re
from collections.abc import Iterator
from typing import Any

from rest_compat.catalogue import RESOURCES
from rest_compat.event_schemas import event_schema
from rest_compat.parameters import Parameter, TagParameter
from rest_compat.resources import Operation, Resource, Told
from rest_compat.schemas import COMPONENTS, ref
from tams_graphql.model.vocabulary import EventType
from tams_graphql.resolvers.service import API_VERSION

Json = dict[str, Any]

_HEADERS: dict[str, tuple[str, str]] = {
    "Link": ("string", 'The next page, as `rel="next"`; absent on the last one.'),
    "X-Paging-Limit": ("integer", "The limit in force, which may be less than was asked for."),
    "X-Paging-NextKey": ("string", "What to send as `page` for the next page."),
    "X-Paging-Count": ("integer", "How many items this page has."),
    "X-Paging-Reverse-Order": ("boolean", "Whether the order is travelled backwards."),
    "Location": ("string", "Where to look how far the deletion is."),
    "X-Paging-Timerange": ("string", "What the segments of this page span together."),
}
_PATH_PARAMETERS: dict[str, Json] = {
    "sourceId": dict(ref("uuid")),
    "flowId": dict(ref("uuid")),
    "profileId": dict(ref("uuid")),
    "webhookId": dict(ref("uuid")),
    "name": {"type": "string", "description": "Percent-encoded; may contain an encoded slash."},
    "request-id": {"type": "string"},
    "objectId": {"type": "string", "description": "Percent-encoded; may contain an encoded slash."},
}


def openapi_document() -> Json:
    """The whole document as plain JSON values; the same on every call."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tams-graphql: TAMS REST API",
            "version": API_VERSION,
            "description": "Time-addressable media: Sources, Flows, their segments and objects.",
        },
        # Relative to this document, so that a path prefix before the server is kept.
        "servers": [{"url": "."}],
        "paths": {resource.path: _path_item(resource) for resource in RESOURCES},
        "webhooks": {what.value: _webhook(what) for what in EventType},
        "components": {
            "schemas": dict(COMPONENTS),
            "headers": {
                name: {"description": what, "schema": {"type": kind}}
                for name, (kind, what) in _HEADERS.items()
            },
            "responses": {"Error": _error()},
        },
    }


def _webhook(what: EventType) -> Json:
    schema = event_schema(what)
    return {
        "post": {
            "summary": schema["description"],
            "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
            "responses": {"2XX": {"description": "Taken. Anything else: sent again later."}},
        }
    }


def _error() -> Json:
    return {
        "description": "Refused; `details` name each field and rule. Nothing was changed.",
        "content": {"application/json": {"schema": ref("error")}},
    }


def _path_item(resource: Resource) -> Json:
    names = re.findall(r"{([\w-]+)}", resource.path)
    item: Json = {}
    if names:
        item["parameters"] = [_path_parameter(name) for name in names]
    for method, operation in resource.operations.items():
        item[method.lower()] = _operation(method, resource.path, operation)
        if method == "GET":
            item["head"] = _head(_operation("HEAD", resource.path, operation))
    return item


def _path_parameter(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": _PATH_PARAMETERS[name]}


def _operation(method: str, path: str, operation: Operation) -> Json:
    documented: Json = {
        "operationId": f"{method.lower()}{re.sub(r'[^A-Za-z]+', '_', path).rstrip('_')}",
        "tags": [path.split("/")[1] or "service"],
        "summary": operation.summary,
    }
    if operation.description:
        documented["description"] = operation.description
    if operation.parameters:
        documented["parameters"] = list(_query_parameters(operation))
    if operation.body is not None:
        content = {"application/json": {"schema": operation.body.schema}}
        documented["requestBody"] = {"required": operation.body.required, "content": content}
    documented["responses"] = {
        **{str(status): _told(told) for status, told in operation.answers.items()},
        "default": {"$ref": "#/components/responses/Error"},
    }
    return documented


def _head(operation: Json) -> Json:
    """HEAD: GET's status and headers, no content."""
    responses = {
        status: {k: v for k, v in told.items() if k != "content"}
        for status, told in operation["responses"].items()
        if status != "default"
    }
    return {**operation, "responses": {**responses, "default": {"description": "Refused."}}}


def _query_parameters(operation: Operation) -> Iterator[Json]:
    for parameter in operation.parameters:
        if isinstance(parameter, TagParameter):
            yield from _tag_parameters(parameter)
        else:
            yield _query_parameter(parameter.name, parameter.description, parameter.schema)


def _tag_parameters(parameter: Parameter[Any]) -> Iterator[Json]:
    values, exists = parameter.names
    yield _query_parameter(values, parameter.description, parameter.schema)
    what = parameter.description.split(" whose ")[0]
    described = f"{what} that have the tag {{name}} (true) or lack it (false)."
    yield _query_parameter(exists, described, {"type": "boolean"})


def _query_parameter(name: str, description: str, schema: Any) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _told(told: Told) -> Json:
    answer: Json = {"description": told.description}
    if told.headers:
        answer["headers"] = {n: {"$ref": f"#/components/headers/{n}"} for n in told.headers}
    if told.schema is not None:
        answer["content"] = {"application/json": {"schema": told.schema}}
    return answer
