"""A store that is used by GraphQL alone."""

from collections.abc import Sequence
from typing import Any

from tests.parity import words
from tests.parity.serving import Client
from tests.parity.store import Json, Listing, Names, Refusal, present

_RATIONAL = "{ numerator denominator }"
_TAGS = "tags { name values isList }"
_ESSENCES = f"""
... on VideoEssenceParameters {{ frameWidth frameHeight frameRate {_RATIONAL} initSegments }}
... on AudioEssenceParameters {{ sampleRate channels initSegments }}
... on ImageEssenceParameters {{ frameWidth frameHeight }}
... on DataEssenceParameters {{ dataType initSegments }}
"""
_FLOW = f"""
flowId sourceId format label description status codec container createdBy updatedBy created
metadataUpdated segmentsUpdated metadataVersion generation profileId readOnly maxBitRate avgBitRate
segmentDuration {_RATIONAL} {_TAGS} flowCollection {{ flowId role }} collectedBy {{ flowId }}
... on VideoFlow {{
  essenceParameters {{ frameWidth frameHeight frameRate {_RATIONAL} initSegments }}
}}
... on AudioFlow {{ essenceParameters {{ sampleRate channels initSegments }} }}
... on ImageFlow {{ essenceParameters {{ frameWidth frameHeight }} }}
... on DataFlow {{ essenceParameters {{ dataType initSegments }} }}
... on MultiFlow {{ essenceParameters {{ initSegments }} }}
"""
_SOURCE = f"""
sourceId format label description createdBy updatedBy created updated {_TAGS}
sourceCollection {{ sourceId role }} collectedBy {{ sourceId }}
"""
_URLS = "getUrls { url label presigned controlled }"
_SEGMENT = f"""
objectId timerange tsOffset lastDuration objectTimerange keyFrameCount {_URLS}
initObject {{ objectId {_URLS} }}
"""
_PROFILE = f"""
profileId format label description codec container avgBitRate segmentDuration {_RATIONAL} createdBy
{_TAGS} essenceParameters {{ {_ESSENCES} }}
"""
_WEBHOOK = f"""
webhookId url apiKeyName events flowIds sourceIds flowCollectedByIds presigned status
{_TAGS}
"""
_OBJECT = f"""
query Object($id: String!, $tags: [TagFilter!]) {{
  object(objectId: $id) {{
    objectId timerange {{ timerange }} keyFrameCount firstReferencedByFlow {{ flowId }}
    initObject {{ objectId {_URLS} }} {_URLS}
    referencedByFlows(first: 100, tags: $tags) {{ nodes {{ flowId }} }}
  }}
}}
"""
_PAGING = "$first: Int, $after: String, $last: Int, $before: String, $reverse: Boolean!"
_PAGED = "first: $first, after: $after, last: $last, before: $before, reverse: $reverse"
_PAGE = "pageInfo { hasNextPage endCursor hasPreviousPage startCursor }"
_SEGMENTS = f"""
query Segments(
  $id: UUID!, $timerange: TimeRange, $objectId: String, {_PAGING}
) {{
  flow(flowId: $id) {{
    page: segments(timerange: $timerange, objectId: $objectId, {_PAGED}) {{
      nodes {{ {_SEGMENT} }} {_PAGE}
    }}
  }}
}}
"""


def _listing(name: str, arguments: str, selection: str) -> str:
    """A query for a page; `arguments` are those of the field beside the usual ones."""
    declared = {
        "filter": f"$filter: {name[:-1].capitalize()}Filter",
        "tags": "$tags: [TagFilter!]",
        "sort": f"$sort: {name[:-1].capitalize()}Sort!",
    }
    chosen = arguments.split()
    variables = " ".join(declared[one] for one in chosen)
    passed = " ".join(f"{one}: ${one}" for one in chosen)
    return f"""
    query Page({variables} {_PAGING}) {{
      page: {name}({passed} {_PAGED}) {{ nodes {{ {selection} }} {_PAGE} }}
    }}
    """


_SOURCES = _listing("sources", "filter sort", _SOURCE)
_FLOWS = _listing("flows", "filter sort", _FLOW)
_PROFILES = _listing("profiles", "filter", _PROFILE)
_WEBHOOKS = _listing("webhooks", "tags", _WEBHOOK)
_CLEARED = (
    *("api_key_name", "flow_ids", "source_ids", "flow_collected_by_ids", "presigned", "tags"),
)
"""What an update names to make a webhook as new."""


class Graphql:
    """`Store` by GraphQL."""

    def __init__(self, http: Client) -> None:
        self._http = http
        self._names = Names()

    def put_flow(self, flow_id: str, body: Json) -> str:
        given = {"flowId": flow_id, **words.metadata_input(body)}
        done = self._mutate("putFlow", "created", given)
        return "created" if done["created"] else "updated"

    def set_property(self, noun: str, identifier: str, name: str, value: Any) -> None:
        if name == "flow_collection":
            value = words.collection_input(value)
        self._update(noun, identifier, {words.camel(name): value})

    def set_tag(self, noun: str, identifier: str, name: str, value: Any) -> None:
        if value is None:
            self._update(noun, identifier, {"removeTags": [name]})
        else:
            self._update(noun, identifier, {"setTags": words.tag_inputs({name: value})})

    def _update(self, noun: str, identifier: str, change: Json) -> None:
        name = f"update{noun.capitalize()}"
        self._mutate(name, "clientMutationId", {f"{noun}Id": identifier, **change})

    def delete_flow(self, flow_id: str) -> None:
        self._delete("deleteFlow", {"flowId": flow_id})

    def allocate(self, flow_id: str, body: Json) -> list[str]:
        chosen = {"objectIds": body["object_ids"]} if "object_ids" in body else {}
        given = {"flowId": flow_id, **(chosen or {"count": body["limit"]})}
        done = self._mutate("allocateStorage", "objects { objectId }", given)
        ids = [one["objectId"] for one in done["objects"]]
        return ids if chosen else [self._names.learn(one) for one in ids]

    def register(self, flow_id: str, posts: list[Json]) -> list[tuple[str, str, Any]]:
        wanted = "registeredCount failed { index objectId timerange errors { code } }"
        given = {"flowId": flow_id, "segments": [self._post(one) for one in posts]}
        done = self._mutate("registerSegments", wanted, given)
        failed = done["failed"]
        assert done["registeredCount"] == len(posts) - len(failed)
        told = [posts[one["index"]] for one in failed]
        assert [one["object_id"] for one in told] == [
            self._names.neutral(one["objectId"]) for one in failed
        ]
        return [
            (post["object_id"], one["timerange"], {error["code"] for error in one["errors"]})
            for post, one in zip(told, failed, strict=True)
        ]

    def register_one(self, flow_id: str, post: Json) -> None:
        for _, _, codes in self.register(flow_id, [post]):
            raise Refusal(*codes)

    def _post(self, post: Json) -> Json:
        ids = {name: post[name] for name in ("object_id", "init_object_id") if name in post}
        named = {**post, **{name: self._names.actual(one) for name, one in ids.items()}}
        shown: Json = words.renamed(named, words.camel)
        return shown

    def delete_segments(self, flow_id: str, timerange: str | None, object_id: str | None) -> None:
        used = None if object_id is None else self._names.actual(object_id)
        every = "_" if timerange is None and object_id is None else timerange
        given = {"flowId": flow_id, "timerange": every, "objectId": used}
        self._delete("deleteSegments", given)

    def _delete(self, name: str, given: Json) -> None:
        """What goes on after the answer is waited for."""
        request = self._mutate(name, "deletionRequest { requestId }", given)["deletionRequest"]
        if request is not None:
            query = "query D($id: UUID!) { deletionRequest(requestId: $id) { status } }"
            wanted = request["requestId"]
            self._http.wait_until(
                lambda: self._ask(query, id=wanted)["deletionRequest"]["status"] == "DONE"
            )

    def add_instance(self, object_id: str, url: str, label: str) -> None:
        given = {"objectId": self._names.actual(object_id), "url": url, "label": label}
        self._mutate("addObjectInstance", "clientMutationId", given)

    def remove_instance(self, object_id: str, label: str) -> None:
        given = {"objectId": self._names.actual(object_id), "label": label}
        self._mutate("removeObjectInstance", "clientMutationId", given)

    def create_profile(self, profile_id: str, body: Json) -> None:
        common = {name: part for name, part in body.items() if name != "flow_metadata"}
        given = words.metadata_input({**common, **body["flow_metadata"]})
        self._mutate("createProfile", "clientMutationId", {"profileId": profile_id, **given})

    def register_webhook(self, body: Json) -> str:
        given = words.webhook_input(body)
        done = self._mutate("registerWebhook", "webhook { webhookId }", given)
        return self._names.learn(done["webhook"]["webhookId"], "hook")

    def replace_webhook(self, name: str, body: Json) -> None:
        missing = {words.camel(one): None for one in _CLEARED if one not in body}
        given = {"webhookId": self._names.actual(name), **missing, **words.webhook_input(body)}
        self._mutate("updateWebhook", "clientMutationId", given)

    def delete_webhook(self, name: str) -> None:
        given = {"webhookId": self._names.actual(name)}
        self._mutate("deleteWebhook", "clientMutationId", given)

    def sources(self, wanted: Listing) -> list[Json]:
        found = self._walk(_SOURCES, wanted, self._filters(wanted))
        return [self._source(one) for one in found]

    def source(self, source_id: str) -> Json:
        query = f"query Source($id: UUID!) {{ source(sourceId: $id) {{ {_SOURCE} }} }}"
        return self._source(self._found("source", query, id=source_id))

    def flows(self, wanted: Listing) -> list[Json]:
        return [self._flow(one) for one in self._walk(_FLOWS, wanted, self._filters(wanted))]

    def flow(self, flow_id: str, timerange: str | None = None) -> Json:
        query = f"""query Flow($id: UUID!, $within: TimeRange) {{
          flow(flowId: $id) {{ {_FLOW} timerange(within: $within) {{ timerange }} }}
        }}"""
        return self._flow(self._found("flow", query, id=flow_id, within=timerange))

    def segments(self, flow_id: str, wanted: Listing) -> list[Json]:
        given = {"id": flow_id, **words.renamed(dict(wanted.filters), words.camel)}
        if "objectId" in given:
            given["objectId"] = self._names.actual(given["objectId"])
        return [self._media(one) for one in self._walk(_SEGMENTS, wanted, given)]

    def object(self, object_id: str, tags: Sequence[tuple[str, Any]] = ()) -> Json:
        wanted = {"id": self._names.actual(object_id), "tags": words.tag_filters(tags)}
        told = self._found("object", _OBJECT, **wanted)
        shown = self._media(told)
        init = shown.get("init_object")
        first = told["firstReferencedByFlow"]
        return present(
            {
                **shown,
                "id": shown.pop("object_id"),
                "object_id": None,
                "timerange": told["timerange"] and told["timerange"]["timerange"],
                "init_object": init and {"id": init.pop("object_id"), **init},
                "first_referenced_by_flow": first and first["flowId"],
                "referenced_by_flows": [
                    one["flowId"] for one in told["referencedByFlows"]["nodes"]
                ],
            }
        )

    def profiles(self, wanted: Listing) -> list[Json]:
        found = self._walk(_PROFILES, wanted, self._filters(wanted))
        return [words.profile_told(one) for one in found]

    def webhooks(self, wanted: Listing) -> list[Json]:
        found = self._walk(_WEBHOOKS, wanted, {"tags": words.tag_filters(wanted.tags)})
        shown = map(words.webhook_told, found)
        return [{**one, "id": self._names.neutral(one["id"])} for one in shown]

    def _filters(self, wanted: Listing) -> Json:
        filters = {words.camel(name): value for name, value in wanted.filters.items()}
        if "format" in filters:
            names = {urn: name for name, urn in words.FORMATS.items()}
            filters["format"] = names[filters["format"]]
        if "collectedByIds" in filters:
            filters["collectedBy"] = filters.pop("collectedByIds")
        if "status" in filters:
            filters["status"] = filters["status"].upper()
        if wanted.tags:
            filters["tags"] = words.tag_filters(wanted.tags)
        return {"filter": filters, "sort": wanted.sort.upper()}

    def _walk(self, query: str, wanted: Listing, variables: Json) -> list[Json]:
        """All pages; the reverse order is asked for, or is the usual one travelled backwards."""
        backwards = wanted.reverse and wanted.limit % 2 == 1
        size, cursor = ("last", "before") if backwards else ("first", "after")
        order = {"reverse": wanted.reverse and not backwards}
        found: list[Json] = []
        more, at = True, None
        while more:
            given = {**variables, **order, size: wanted.limit, cursor: at}
            page = _page(self._ask(query, **given))
            nodes, place = page["nodes"], page["pageInfo"]
            found += nodes[::-1] if backwards else nodes
            more = place["hasPreviousPage" if backwards else "hasNextPage"]
            at = place["startCursor" if backwards else "endCursor"]
            assert not more or len(nodes) == wanted.limit, "only the last page may be short"
        return found

    def _source(self, told: Json) -> Json:
        shown = words.source_told(told)
        return {**shown, **self._changes("source", shown, "created", "updated")}

    def _flow(self, told: Json) -> Json:
        shown = words.flow_told(told)
        dates = self._changes("flow", shown, "created", "metadata_updated", "segments_updated")
        version = shown["metadata_version"]
        if not version.startswith("v"):
            version = self._names.change(version, "flow", shown["id"], "metadata_version")
        return present({**shown, **dates, "metadata_version": version})

    def _changes(self, noun: str, told: Json, *dates: str) -> Json:
        change = self._names.change
        return {name: change(told.get(name), noun, told["id"], name) for name in dates}

    def _media(self, told: Json) -> Json:
        """A segment or an object, without what only this server knows of its URLs."""
        shown = words.renamed(told, words.snake)
        shown["object_id"] = self._names.neutral(told["objectId"])
        shown["get_urls"] = words.urls_told(told["getUrls"])
        if told.get("initObject"):
            shown["init_object"] = self._media(told["initObject"])
        return present(shown)

    def _found(self, name: str, query: str, **variables: Any) -> Json:
        told: Json | None = self._ask(query, **variables)[name]
        if told is None:
            raise Refusal("NOT_FOUND")
        return told

    def _mutate(self, name: str, wanted: str, given: Json) -> Json:
        kind = f"{name[0].upper()}{name[1:]}Input!"
        asked = f"{wanted} errors {{ code message }}"
        document = f"mutation M($input: {kind}) {{ {name}(input: $input) {{ {asked} }} }}"
        payload: Json = self._ask(document, input=given)[name]
        if payload["errors"]:
            raise Refusal(*(one["code"] for one in payload["errors"]), told=payload)
        return payload

    def _ask(self, document: str, **variables: Any) -> Json:
        body = {"query": document, "variables": variables}
        answer = self._http.request("POST", "/graphql", json=body).json()
        if "errors" in answer:
            raise Refusal(*(one["extensions"]["code"] for one in answer["errors"]), told=answer)
        data: Json = answer["data"]
        return data


def _page(data: Json) -> Json:
    """The page of a listing; of the segments of a flow that does not exist, an empty one."""
    found = data.get("flow", data)
    nowhere = {"hasNextPage": False, "hasPreviousPage": False, "endCursor": None}
    empty: Json = {"nodes": [], "pageInfo": {**nowhere, "startCursor": None}}
    return empty if found is None else dict(found["page"])
