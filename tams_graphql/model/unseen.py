"""What a client of an older version can't see of a Flow survives that it PUTs the Flow back.

A client that reads a Flow, changes something and PUTs it back says nothing about what its
version does not show. `Unseen` puts that back into the body before it is read.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from tams_graphql.model.records import CollectionItem, Flow, TagValue
from tams_graphql.model.tags import joined_tag
from tams_graphql.model.technical import TECHNICAL
from tams_graphql.model.vocabulary import ContentFormat

Json: TypeAlias = dict[str, Any]
Place: TypeAlias = tuple[str | None, int]
_MIME_MEMBERS = ("codec", "container")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """What a version does not show of a Flow, or shows as something else.

    Attributes:
        members: properties of the Flow that are left out.
        essence: properties of its `essence_parameters` that are left out.
        multi_essence: whether Multi flows have no `essence_parameters` at all.
        joins_tags: whether the values of a tag are shown joined.
        fills_roles: whether a missing role is shown as an empty one.
        cuts_profile: whether `profile_id` is left out: new technical metadata cut the link.
        mime: what a codec or container is shown as.
        seen_members: ids of all flows that it shows in collections; ``None`` for each.
    """

    members: frozenset[str] = frozenset()
    essence: frozenset[str] = frozenset()
    multi_essence: bool = False
    joins_tags: bool = False
    fills_roles: bool = False
    cuts_profile: bool = False
    mime: Callable[[str], str] | None = None
    seen_members: frozenset[str] | None = None

    def flow(self, body: Mapping[str, Any], stored: Flow) -> Json:
        """`body` of a PUT with what its client can't see of the Flow that it replaces."""
        whole = {**body, **{name: getattr(stored, name) for name in self._set(stored)}}
        if body.get("format") == stored.format:
            self._restore_essence(whole, stored)
        for name in _MIME_MEMBERS:
            self._restore_mime(whole, name, getattr(stored, name))
        if isinstance(tags := whole.get("tags"), dict):
            whole["tags"] = {
                name: self.tag(value, name, stored.tags) for name, value in tags.items()
            }
        if (collection := self.collection(whole.get("flow_collection"), stored)) is not None:
            whole["flow_collection"] = collection
        if self.cuts_profile and stored.profile_id is not None and _differs(whole, stored):
            whole["profile_id"] = ""
        return whole

    def tag(self, value: Any, name: str, stored: Mapping[str, TagValue]) -> Any:
        """The `value` given for the tag `name`: the stored one if it is shown like that."""
        if self.joins_tags and name in stored and value == joined_tag(stored[name]):
            return stored[name]
        return value

    def collection(self, items: Any, stored: Flow) -> Any:
        """The collection `items` with absent roles, and members that the client can't see.

        Such a member follows the one that it followed, or comes first. ``None`` is for no
        collection: only members that can't be seen are left of the stored one, if any.
        """
        if items is not None and not isinstance(items, list):
            return items
        old = stored.flow_collection or ()
        members = dict(zip(_places(member.id for member in old), old, strict=True))
        places = _places(item.get("id") if isinstance(item, dict) else None for item in items or ())
        given = {
            place: self._with_role(item, members.get(place))
            for place, item in zip(places, items or (), strict=True)
        }
        hidden = {
            place
            for place, member in members.items()
            if self.seen_members is not None and member.id not in self.seen_members
        }
        if not hidden:
            return None if items is None else list(given.values())
        return _woven(given, members, hidden)

    def _set(self, stored: Flow) -> list[str]:
        return [name for name in sorted(self.members) if getattr(stored, name) is not None]

    def _restore_essence(self, whole: Json, stored: Flow) -> None:
        old = stored.essence_parameters
        if old is None:
            return
        if stored.format is ContentFormat.MULTI:
            if self.multi_essence:
                whole["essence_parameters"] = old
            return
        given = whole.get("essence_parameters")
        if not isinstance(given, dict):
            return
        back = {name: old[name] for name in sorted(self.essence & old.keys())}
        if "frame_rate" in given and back.get("vfr"):
            back.pop("vfr", None)
        whole["essence_parameters"] = {**given, **back}

    def _restore_mime(self, whole: Json, name: str, stored: str | None) -> None:
        if self.mime is not None and stored is not None and whole.get(name) == self.mime(stored):
            whole[name] = stored

    def _with_role(self, item: Any, member: CollectionItem | None) -> Any:
        if not self.fills_roles or member is None or member.role is not None:
            return item
        if item.get("role") != "":
            return item
        return {name: value for name, value in item.items() if name != "role"}


def _places(ids: Iterable[Any]) -> list[Place]:
    """Which occurrence of which id each one is."""
    counts: Counter[Any] = Counter()
    places = []
    for identifier in ids:
        known = identifier if isinstance(identifier, str) else None
        counts[known] += 1
        places.append((known, counts[known]))
    return places


def _woven(
    given: Mapping[Place, Any], members: Mapping[Place, CollectionItem], hidden: Collection[Place]
) -> list[Any]:
    """`given` with the `hidden` members, each after the one of `given` that it followed."""
    leader: Place | None = None
    after: dict[Place | None, list[Json]] = {None: []}
    for place, member in members.items():
        if place in given:
            leader = place
        elif place in hidden:
            after.setdefault(leader, []).append(_item(member))
    woven: list[Any] = list(after[None])
    for place, item in given.items():
        woven.extend((item, *after.get(place, ())))
    return woven


def _item(member: CollectionItem) -> Json:
    members = {
        "id": member.id,
        "role": member.role,
        "container_mapping": member.container_mapping,
    }
    return {name: value for name, value in members.items() if value is not None}


def _differs(whole: Json, stored: Flow) -> bool:
    return any(whole.get(name) != getattr(stored, name) for name in TECHNICAL)
