"""What each version of the specification knows: the one table of their differences.

All versions are served by the same handlers. What a version lacks is a line here: a path, a
query parameter or a member since when it exists; or one of the `DIFFERENCES`, whose code is in
`version_rules`. The newest version has no line against it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

SINCE_PATH: Mapping[str, str] = {
    "/service/storage-backends": "7.0",
    "/service/profiles": "8.2",
    "/service/profiles/{profileId}": "8.2",
    "/service/webhooks/{webhookId}": "8.0",
    "/objects/{objectId}": "7.0",
    "/objects/{objectId}/instances": "8.0",
}
"""Since when a path exists, with all its methods; those not named: since the oldest."""

_PAGED = ("page", "limit")
_URLS = ("verbose_storage", "accept_storage_ids", "presigned")
_SINCE_PARAMETERS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("/sources", "8.2"): ("sort_by", "reverse_order", "collected_by_ids"),
    ("/flows", "8.2"): (
        *("sort_by", "reverse_order", "collected_by_ids"),
        *("profile_id", "status", "init_segments"),
    ),
    ("/flows/{flowId}/segments", "7.0"): _URLS,
    ("/flows/{flowId}/segments", "8.0"): ("include_object_timerange",),
    ("/flows/{flowId}/segments", "8.2"): ("storage_backend_tag",),
    ("/objects/{objectId}", "8.0"): (*_URLS, "accept_get_urls", "flow_tag"),
    ("/objects/{objectId}", "8.2"): ("storage_backend_tag",),
    ("/service/storage-backends", "8.2"): ("tag", "reverse_order", *_PAGED),
    ("/service/webhooks", "8.0"): ("tag", *_PAGED),
    ("/service/webhooks", "8.2"): ("reverse_order",),
    ("/flow-delete-requests", "8.2"): ("sort_by", "reverse_order", *_PAGED),
}
SINCE_PARAMETER: Mapping[tuple[str, str], str] = {
    (path, name): since for (path, since), names in _SINCE_PARAMETERS.items() for name in names
}
"""Since when a query parameter of a path exists; missing ones are ignored, by DELETE refused."""

SINCE_MEMBER: Mapping[str, Mapping[str, str]] = {
    "service": {"min_object_timeout": "8.1", "min_presigned_url_timeout": "8.1"},
    "flow": {"status": "8.2", "profile_id": "8.2"},
    "essence": {"vfr": "8.0", "init_segments": "8.2"},
    "segment": {"object_timerange": "8.0", "init_object": "8.2"},
    "segment_post": {"object_timerange": "8.0", "init_object_id": "8.2"},
    "url": {
        "presigned": "7.0",
        "controlled": "7.0",
        "storage_id": "7.0",
        "store_type": "7.0",
        "provider": "7.0",
        "region": "7.0",
        "availability_zone": "7.0",
        "store_product": "7.0",
        "tags": "8.2",
    },
    "object": {
        "timerange": "8.0",
        "key_frame_count": "8.0",
        "get_urls": "8.0",
        "init_object": "8.2",
    },
    "storage_backend": {"tags": "8.2"},
    "storage_answer": {"presigned": "8.2"},
    "storage_post": {
        "object_ids": "7.0",
        "storage_id": "7.0",
        "content_type": "8.2",
        "presigned": "8.2",
    },
    "webhook": {
        "accept_storage_ids": "7.0",
        "presigned": "7.0",
        "verbose_storage": "7.0",
        "id": "8.0",
        "status": "8.0",
        "error": "8.0",
        "tags": "8.0",
        "include_object_timerange": "8.2",
    },
}
"""Since when a member exists: older versions never show it, and ignore it where it is sent.

In closed objects (``essence``) they refuse it instead.
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """A rule of some versions that is more than a missing member.

    Attributes:
        since: the oldest version with the rule.
        until: the newest one.
        shown: what its clients see.
        taken: what they may send.
        kept: what survives that they PUT back what they have read.
        paths: where it matters; nothing for everywhere.
    """

    since: str
    until: str
    paths: tuple[str, ...] = ()
    shown: str = ""
    taken: str = ""
    kept: str = ""


_FLOWS = ("/flows", "/flows/{flowId}")
_SOURCES = ("/sources", "/sources/{sourceId}")
_SEGMENTS = ("/flows/{flowId}/segments",)
_COLLECTION = ("/flows/{flowId}/flow_collection",)

DIFFERENCES: Mapping[str, Difference] = {
    "media_store": Difference(
        "6.0", "6.0", paths=("/service",), shown="`/service` has `media_store`, as required."
    ),
    "no_images": Difference(
        "6.0",
        "6.0",
        shown="Flows and Sources of format image, and all below them, are 404; they are in no"
        " list and no collection. Their segments are an empty list.",
        taken="The format is refused.",
        kept="Hidden members of a collection stay where they were.",
    ),
    "loose_times": Difference(
        "6.0",
        "6.0",
        paths=(*_FLOWS, *_SEGMENTS),
        taken="Leading zeros in timestamps are dropped; 10^9 ns and more are refused all the same.",
    ),
    "single_segments": Difference(
        "6.0",
        "6.0",
        paths=_SEGMENTS,
        taken="One segment per POST, no list; its `get_urls` have `url` and `label`, nothing else.",
    ),
    "unlabelled_urls": Difference(
        "6.0",
        "7.0",
        paths=_SEGMENTS,
        taken="The `get_urls` of a segment need no `label`. Those without one are told apart by"
        " nothing, so no filter names them and they can't be removed one by one.",
    ),
    "joined_tags": Difference(
        "6.0",
        "7.0",
        paths=(*_FLOWS, *_SOURCES, "/flows/{flowId}/tags", "/sources/{sourceId}/tags"),
        shown="The values of a tag that is a list are joined with commas.",
        taken="Lists are refused. `tag.{name}` is one whole value, commas included.",
        kept="The joined string keeps the list.",
    ),
    "joined_single_tags": Difference(
        "6.0",
        "8.1",
        paths=("/flows/{flowId}/tags/{name}", "/sources/{sourceId}/tags/{name}"),
        shown="`/tags/{name}` joins the values of a list with commas: 8.0 and 8.1 know lists, but"
        " not there.",
        taken="Lists are refused there.",
        kept="The joined string keeps the list.",
    ),
    "no_variable_rate": Difference(
        "6.0",
        "7.0",
        paths=_FLOWS,
        shown="`vfr` is left out.",
        taken="`vfr` is refused; video needs `frame_rate`, although the schema does not say so.",
        kept="A flow of variable frame rate stays one, unless a `frame_rate` is given.",
    ),
    "webhooks_without_id": Difference(
        "6.0",
        "7.0",
        paths=("/service/webhooks",),
        shown="The list of webhooks is complete, without `id`, `status`, `error` and `tags`.",
        taken="POST again with the same `url`, `api_key_name` and `api_key_value` updates,"
        " and starts again what had failed; an empty `events` removes, all of them if newer clients"
        " have registered several.",
        kept="All that such a POST can't see.",
    ),
    "strict_mime": Difference(
        "8.0",
        "8.1",
        paths=_FLOWS,
        shown="A `codec` or `container` that its pattern refuses is shown as `x-{type}/{subtype}`,"
        " with `_` for each character that can't be.",
        taken="The stricter pattern.",
        kept="The string shown keeps the one stored.",
    ),
    "no_init_objects": Difference(
        "8.0",
        "8.1",
        paths=("/objects/{objectId}", "/objects/{objectId}/instances"),
        shown="Initialisation objects are 404, as every object must have a `timerange`.",
    ),
    "role_required": Difference(
        "6.0",
        "8.1",
        paths=(*_FLOWS, *_SOURCES, *_COLLECTION),
        shown='`role` is `""` where a member of a collection has none.',
        taken="`role` is required.",
        kept='`""` keeps it absent.',
    ),
    "no_multi_essence": Difference(
        "6.0",
        "8.1",
        paths=_FLOWS,
        shown="Multi flows have no `essence_parameters`.",
        taken="They are ignored.",
        kept="They stay.",
    ),
    "profiles_unseen": Difference(
        "6.0",
        "8.1",
        paths=(*_FLOWS, "/flows/{flowId}/avg_bit_rate"),
        shown="`profile_id` is left out.",
        taken="It is ignored. `avg_bit_rate` can be set and removed by itself, as that of any"
        " Flow.",
        kept="The link stays while the technical metadata does; otherwise it is cut, and what was"
        " taken over from the Profile and not changed stays.",
    ),
}
"""The rules, by the name that the code asks for with `Version.has`."""


def _number(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split("."))


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the specification.

    Attributes:
        name: as the specification calls it, ``8.2``.
        unknown: for each kind of `SINCE_MEMBER`, the members that came later.
        differences: the names of its `DIFFERENCES`.
    """

    name: str
    unknown: Mapping[str, frozenset[str]]
    differences: frozenset[str]

    @classmethod
    def of(cls, name: str) -> "Version":
        """The version as the tables describe it."""
        unknown = {
            kind: frozenset(m for m, since in members.items() if _number(since) > _number(name))
            for kind, members in SINCE_MEMBER.items()
        }
        differences = frozenset(
            rule
            for rule, told in DIFFERENCES.items()
            if _number(told.since) <= _number(name) <= _number(told.until)
        )
        return cls(name, MappingProxyType(unknown), differences)

    @property
    def prefix(self) -> str:
        """The path under which it is served."""
        return f"/v{self.name}"

    def has(self, difference: str) -> bool:
        """Whether it is one of the versions with this rule of `DIFFERENCES`."""
        return difference in self.differences

    def serves(self, path: str) -> bool:
        """Whether it knows this path template."""
        return self._knows(SINCE_PATH.get(path))

    def takes(self, path: str, parameter: str) -> bool:
        """Whether its methods on `path` know this query parameter."""
        return self._knows(SINCE_PARAMETER.get((path, parameter)))

    def _knows(self, since: str | None) -> bool:
        return since is None or _number(since) <= _number(self.name)


OPERATIONS: Final = {"6.0": 70, "7.0": 74, "8.0": 80, "8.1": 80, "8.2": 85}
"""How many operations each version has, HEAD counted by itself."""

VERSIONS: Final = tuple(Version.of(name) for name in OPERATIONS)
"""All of them, the oldest first."""

NEWEST: Final = VERSIONS[-1]
"""What the bare root serves, and what the store keeps."""
