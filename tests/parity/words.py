"""GraphQL's words for the specification's JSON, in both directions."""

import re
from collections.abc import Mapping
from typing import Any

from tests.parity.store import Json, at_first, present

FORMATS = {
    "VIDEO": "urn:x-nmos:format:video",
    "AUDIO": "urn:x-nmos:format:audio",
    "DATA": "urn:x-nmos:format:data",
    "MULTI": "urn:x-nmos:format:multi",
    "IMAGE": "urn:x-tam:format:image",
}
_FORMAT_OF = {urn: name for name, urn in FORMATS.items()}


def camel(name: str) -> str:
    """`frame_rate` as `frameRate`."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def snake(name: str) -> str:
    """`frameRate` as `frame_rate`."""
    return re.sub("[A-Z]", lambda found: "_" + found[0].lower(), name)


def renamed(value: Any, rename: Any) -> Any:
    """A value with all its members renamed; those that are null are left out."""
    if isinstance(value, Mapping):
        kept = {name: part for name, part in value.items() if part is not None}
        return {rename(name): renamed(part, rename) for name, part in kept.items()}
    return [renamed(one, rename) for one in value] if isinstance(value, list) else value


def tag_inputs(tags: Mapping[str, Any]) -> list[Json]:
    return [
        {"name": name, "values": [value]}
        if isinstance(value, str)
        else {"name": name, "values": value, "asList": True}
        for name, value in tags.items()
    ]


def tags_told(tags: list[Json]) -> Json:
    return {one["name"]: one["values"] if one["isList"] else one["values"][0] for one in tags}


def tag_filters(tags: Any) -> list[Json]:
    return [
        {"name": name, **({"exists": value} if isinstance(value, bool) else {"anyOf": value})}
        for name, value in tags
    ]


def metadata_input(body: Json) -> Json:
    """The technical and common metadata of a flow or a profile as GraphQL takes it."""
    given = {camel(name): renamed(part, camel) for name, part in body.items()}
    if "format" in given:
        parameters = given.pop("essenceParameters", {})
        given["essence"] = {_FORMAT_OF[given.pop("format")].lower(): parameters}
    if "tags" in body:
        given["tags"] = tag_inputs(body["tags"])
    if "status" in body:
        given["status"] = body["status"].upper()
    if "flow_collection" in body:
        given["flowCollection"] = collection_input(body["flow_collection"])
    if body.get("profile_id") == "":
        given["profileId"] = None
    return given


def collection_input(items: list[Json] | None) -> list[Json] | None:
    if items is None:
        return None
    return [{"flowId": item["id"], "role": item.get("role")} for item in items]


def essence_told(told: Json) -> Json:
    parameters = renamed(told.get("essenceParameters") or {}, snake)
    parameters.pop("__typename", None)
    return {"format": FORMATS[told["format"]], "essence_parameters": parameters}


def flow_told(told: Json) -> Json:
    shown = renamed(told, snake)
    shown |= {"id": shown.pop("flow_id"), "tags": tags_told(told["tags"]), **essence_told(told)}
    shown["flow_collection"] = [
        present({"id": item["flowId"], "role": item["role"]}) for item in told["flowCollection"]
    ]
    shown["collected_by"] = [one["flowId"] for one in told["collectedBy"]]
    if "timerange" in told:
        shown["timerange"] = told["timerange"]["timerange"]
    if told["status"]:
        shown["status"] = told["status"].lower()
    return present(shown)


def source_told(told: Json) -> Json:
    shown = renamed(told, snake)
    shown |= {"id": shown.pop("source_id"), "tags": tags_told(told["tags"])}
    shown["format"] = FORMATS[told["format"]]
    shown["source_collection"] = [
        present({"id": item["sourceId"], "role": item["role"]}) for item in told["sourceCollection"]
    ]
    shown["collected_by"] = [one["sourceId"] for one in told["collectedBy"]]
    return present(shown)


def profile_told(told: Json) -> Json:
    shown = renamed(told, snake)
    for name in ("format", "essence_parameters"):
        shown.pop(name)
    technical = {
        name: shown.pop(name)
        for name in ("codec", "container", "avg_bit_rate", "segment_duration")
        if name in shown
    }
    return present(
        {
            **shown,
            "id": shown.pop("profile_id"),
            "profile_id": None,
            "tags": tags_told(told["tags"]),
            "flow_metadata": {**technical, **essence_told(told)},
        }
    )


def urls_told(urls: list[Json]) -> list[Json]:
    """Of URLs that a server signs, all but the URL."""
    return [present({**one, "url": None if one["controlled"] else one["url"]}) for one in urls]


def webhook_input(body: Json) -> Json:
    given = renamed(body, camel)
    given["events"] = [one.upper().replace("/", "_") for one in body["events"]]
    if "tags" in body:
        given["tags"] = tag_inputs(body["tags"])
    if "status" in body:
        given["status"] = body["status"].upper()
    return dict(given)


_EVENTS = {
    "FLOWS_CREATED": "flows/created",
    "FLOWS_UPDATED": "flows/updated",
    "FLOWS_SEGMENTS_ADDED": "flows/segments_added",
    "SOURCES_DELETED": "sources/deleted",
}


def webhook_told(told: Json) -> Json:
    shown = renamed(told, snake)
    return present(
        {
            **shown,
            "id": shown.pop("webhook_id"),
            "webhook_id": None,
            "tags": tags_told(told["tags"]),
            "events": [_EVENTS[one] for one in told["events"]],
            "status": at_first(told["status"].lower()),
        }
    )
