"""The table of all listings: every filter with what it must find, every order with its places."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tests.paging import kinds
from tests.paging.kinds import Kind
from tests.paging.store import Json
from tests.rest_compat.stories import uuid4

Place: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Where:
    """A filter, as each face writes it; `None` where a face lacks it."""

    rest: str | None = ""
    graphql: Json | None = field(default_factory=dict)
    holds: Callable[[Json], bool] = lambda _: True


@dataclass(frozen=True)
class Order:
    """What places an item, and whether the highest comes first unless reversed."""

    place: Callable[[Json], Place]
    descending: bool = False


@dataclass(frozen=True, kw_only=True)
class Listing:
    """One listing: as a path of the specification, and as a connection of the schema.

    `orders`: by the value of ``sort_by``, the default first; ``""`` where there is no choice.
    `reversible`: whether REST can turn it round; all connections can. `counted`: whether REST
    tells how many items a page has. `wrap`: the GraphQL that leads to the connection.
    """

    kind: type[Kind] = field(repr=False)
    rest: str | None
    url: str = ""
    graphql: str
    wrap: str = "{}"
    key: str
    orders: Mapping[str, Order] = field(repr=False)
    wheres: Sequence[Where] = field(repr=False)
    reversible: bool = True
    counted: bool = True
    spanned: bool = False

    @property
    def headers(self) -> set[str]:
        """The paging headers of the specification, in lower case."""
        return {
            *("link", "x-paging-limit", "x-paging-nextkey"),
            *(("x-paging-count", "x-paging-reverse-order") if self.counted else ()),
            *(("x-paging-timerange",) if self.spanned else ()),
        }


def _by_label(item: Json) -> Place:
    text = item.get("label")
    return (text is None, text or "", item["id"])


def _by(name: str) -> Order:
    return Order(lambda item: (item[name], item["id"]), descending=True)


_BY_LABEL, _BY_ID = Order(_by_label), Order(lambda item: (item["id"],))


def _values(item: Json, name: str) -> list[str]:
    value = item.get("tags", {}).get(name, [])
    return [value] if isinstance(value, str) else value


def _has(item: Json, name: str) -> bool:
    return name in item.get("tags", {})


def _tagged(prefix: str, wrap: Callable[[Any], Json]) -> list[Where]:
    """Values and presence of tags, alone and together."""
    is_odd = {"name": "odd", "anyOf": ["1"]}
    lacks = {"name": "b,c/ü", "exists": False}
    odd_name, other_name = "odd", "b%2Cc%2F%C3%BC"
    return [
        Where(
            rest=f"{prefix}.{odd_name}=1",
            graphql=wrap([is_odd]),
            holds=lambda one: "1" in _values(one, "odd"),
        ),
        Where(
            rest=f"{prefix}.{odd_name}=2,0",
            graphql=wrap([{"name": "odd", "anyOf": ["2", "0"]}]),
            holds=lambda one: not {"2", "0"}.isdisjoint(_values(one, "odd")),
        ),
        Where(
            rest=f"{prefix}.{other_name}=",
            graphql=wrap([{"name": "b,c/ü", "anyOf": [""]}]),
            holds=lambda one: "" in _values(one, "b,c/ü"),
        ),
        Where(
            rest=f"{prefix}_exists.{odd_name}=true",
            graphql=wrap([{"name": "odd", "exists": True}]),
            holds=lambda one: _has(one, "odd"),
        ),
        Where(
            rest=f"{prefix}.{odd_name}=1&{prefix}_exists.{other_name}=false",
            graphql=wrap([is_odd, lacks]),
            holds=lambda one: "1" in _values(one, "odd") and not _has(one, "b,c/ü"),
        ),
    ]


def _plain(rest: str | None, graphql: str, value: Any, name: str, text: Any) -> Where:
    """A property that equals something; `name` and `text` as REST tells it."""

    def holds(item: Json) -> bool:
        found = item
        for part in name.split("."):
            found = found.get(part, {})
        return bool(found == text)

    return Where(rest=rest, graphql={"filter": {graphql: value}}, holds=holds)


def _filter(**fields: Any) -> Json:
    return {"filter": fields}


def _collected(*ids: str) -> Where:
    def holds(item: Json) -> bool:
        by = item.get("collected_by", [])
        return not set(ids).isdisjoint(by) if ids else not by

    return Where(
        rest=f"collected_by_ids={','.join(ids)}",
        graphql=_filter(collectedBy=list(ids)),
        holds=holds,
    )


def _numbered(first: int, *numbers: int) -> list[str]:
    return [uuid4(first + kinds.scattered(number)) for number in numbers]


_VIDEO, _MULTI = "urn:x-nmos:format:video", "urn:x-nmos:format:multi"
_ALL = Where()
_BY_FLOW_TAGS = _tagged("tag", lambda tags: _filter(tags=tags))
_BY_TAGS = _tagged("tag", lambda tags: {"tags": tags})


def _within(first: int, end: int) -> Callable[[Json], bool]:
    return lambda flow: any(first <= one < end for one in flow["seconds"])


FLOW_WHERES = (
    _ALL,
    *_BY_FLOW_TAGS,
    _plain(f"source_id={uuid4(1001)}", "sourceId", uuid4(1001), "source_id", uuid4(1001)),
    _plain(f"format={_VIDEO}", "format", "VIDEO", "format", _VIDEO),
    _plain("codec=audio/aac", "codec", "audio/aac", "codec", "audio/aac"),
    _plain(None, "container", "video/mp4", "container", "video/mp4"),
    _plain(f"profile_id={kinds.PROFILE}", "profileId", kinds.PROFILE, "profile_id", kinds.PROFILE),
    _plain("label=a", "label", "a", "label", "a"),
    _plain("label=", "label", "", "label", ""),
    _plain("status=ingesting", "status", "INGESTING", "status", "ingesting"),
    _plain("frame_width=640", "frameWidth", 640, "essence_parameters.frame_width", 640),
    _plain("frame_height=1080", "frameHeight", 1080, "essence_parameters.frame_height", 1080),
    _plain("init_segments=true", "initSegments", True, "essence_parameters.init_segments", True),
    Where(
        rest="init_segments=false",
        graphql=_filter(initSegments=False),
        holds=lambda one: not one.get("essence_parameters", {}).get("init_segments"),
    ),
    Where(
        rest="timerange=[1:500000000_10:0)",
        graphql=_filter(timerange="[1:500000000_10:0)"),
        holds=_within(1, 10),
    ),
    Where(
        rest="timerange=()",
        graphql=_filter(timerange="()"),
        holds=lambda one: not one["seconds"],
    ),
    _collected(),
    _collected(*_numbered(1, 3, 7, 99)),
    Where(
        rest=f"format={_VIDEO}&timerange=[0:0_9:0)&tag.odd=0&collected_by_ids=",
        graphql=_filter(
            format="VIDEO",
            timerange="[0:0_9:0)",
            tags=[{"name": "odd", "anyOf": ["0"]}],
            collectedBy=[],
        ),
        holds=lambda one: (
            one["format"] == _VIDEO
            and _within(0, 9)(one)
            and "0" in _values(one, "odd")
            and "collected_by" not in one
        ),
    ),
)

FLOWS = Listing(
    kind=kinds.Flows,
    rest="/flows",
    graphql="Query.flows",
    key="flowId",
    orders={
        "created": _by("created"),
        "metadata_updated": _by("metadata_updated"),
        "label": _BY_LABEL,
    },
    wheres=FLOW_WHERES,
)

FLOWS_OF_A_SOURCE = Listing(
    kind=kinds.FlowsOfASource,
    rest=None,
    graphql="Source.flows",
    wrap=f'source(sourceId: "{uuid4(1001)}") {{{{ {{}} }}}}',
    key="flowId",
    orders=FLOWS.orders,
    wheres=(Where(rest=None, holds=lambda one: one["source_id"] == uuid4(1001)),),
)

SOURCES = Listing(
    kind=kinds.Sources,
    rest="/sources",
    graphql="Query.sources",
    key="sourceId",
    orders={"created": _by("created"), "updated": _by("updated"), "label": _BY_LABEL},
    wheres=(
        _ALL,
        *_BY_FLOW_TAGS,
        _plain("label=a", "label", "a", "label", "a"),
        _plain(f"format={_MULTI}", "format", "MULTI", "format", _MULTI),
        _collected(),
        _collected(*_numbered(2000, 3, 7, 99)),
        Where(
            rest=f"format={_VIDEO}&tag.odd=0&collected_by_ids=",
            graphql=_filter(format="VIDEO", tags=[{"name": "odd", "anyOf": ["0"]}], collectedBy=[]),
            holds=lambda one: (
                one["format"] == _VIDEO and "0" in _values(one, "odd") and "collected_by" not in one
            ),
        ),
    ),
)

_URL_CHOICES = (
    "accept_get_urls=", "accept_storage_ids=" + uuid4(1), "presigned=true", "verbose_storage=true",
    "storage_backend_tag.x=1", "storage_backend_tag_exists.x=true",
)  # fmt: skip
"""They choose what is told of an item, never which items there are."""


def _overlapping(text: str, first: int, end: int, **more: str) -> Where:
    """Starts from `first` to before `end` (seconds) are those that `text` overlaps."""
    query = "&".join([f"timerange={text}", *(f"object_id={one}" for one in more.values())])

    def holds(segment: Json) -> bool:
        wanted = more.get("objectId", segment["object_id"])
        return first <= segment["start"] < end and segment["object_id"] == wanted

    return Where(rest=query, graphql={"timerange": text, **more}, holds=holds)


SEGMENTS = Listing(
    kind=kinds.Segments,
    rest="/flows/{flowId}/segments",
    url=f"/flows/{kinds.LONG_FLOW}/segments",
    graphql="Flow.segments",
    wrap=f'flow(flowId: "{kinds.LONG_FLOW}") {{{{ {{}} }}}}',
    key="timerange",
    orders={"": Order(lambda item: (item["start"],))},
    wheres=(
        _ALL,
        _overlapping("[20:500000000_60:0)", 20, 60),
        _overlapping("[40:0_", 40, 999),
        _overlapping("_40:0]", 0, 41),
        _overlapping("(30:0_31:0)", 30, 31),
        _overlapping("()", 0, 0),
        _overlapping("[10:0_80:1)", 10, 81, objectId="two"),
        Where(
            rest="object_id=one",
            graphql={"objectId": "one"},
            holds=lambda one: one["object_id"] == "one",
        ),
        *(
            Where(rest=text, graphql=None)
            for text in (*_URL_CHOICES, "include_object_timerange=true")
        ),
    ),
    spanned=True,
)

FLOWS_OF_AN_OBJECT = Listing(
    kind=kinds.ObjectFlows,
    rest="/objects/{objectId}",
    url="/objects/shared%2Fobject",
    graphql="MediaObject.referencedByFlows",
    wrap=f'object(objectId: "{kinds.OBJECT}") {{{{ {{}} }}}}',
    key="flowId",
    orders={"": _BY_ID},
    wheres=(
        _ALL,
        *_tagged("flow_tag", lambda tags: {"tags": tags}),
        *(Where(rest=text, graphql=None) for text in _URL_CHOICES),
    ),
    reversible=False,
    counted=False,
)

PROFILES = Listing(
    kind=kinds.Profiles,
    rest="/service/profiles",
    graphql="Query.profiles",
    key="profileId",
    orders={"": _BY_LABEL},
    wheres=(
        _ALL,
        _plain(f"format={_VIDEO}", "format", "VIDEO", "flow_metadata.format", _VIDEO),
        _plain("codec=audio/aac", "codec", "audio/aac", "flow_metadata.codec", "audio/aac"),
        _plain("label=a", "label", "a", "label", "a"),
    ),
    reversible=False,
    counted=False,
)

WEBHOOKS = Listing(
    kind=kinds.Webhooks,
    rest="/service/webhooks",
    graphql="Query.webhooks",
    key="webhookId",
    orders={"": Order(lambda item: (item["url"], item["id"]))},
    wheres=(_ALL, *_BY_TAGS),
)

STORAGE_BACKENDS = Listing(
    kind=kinds.StorageBackends,
    rest="/service/storage-backends",
    graphql="Query.storageBackends",
    key="storageId",
    orders={"": _BY_LABEL},
    wheres=(_ALL, *_BY_TAGS),
)

DELETIONS = Listing(
    kind=kinds.Deletions,
    rest="/flow-delete-requests",
    graphql="Query.deletionRequests",
    key="requestId",
    orders={"created": _by("created"), "expiry": _by("expiry")},
    wheres=(_ALL,),
)

LISTINGS = (
    FLOWS, FLOWS_OF_A_SOURCE, SOURCES, SEGMENTS, FLOWS_OF_AN_OBJECT, PROFILES, WEBHOOKS,
    STORAGE_BACKENDS, DELETIONS,
)  # fmt: skip
