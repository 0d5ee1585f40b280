"""What the listings of sources and of flows filter alike: tags, labels, collections."""

from collections.abc import Iterable, Sequence

import orjson

from tams_graphql.metadata.engine import Key, MetadataEngine, Scan
from tams_graphql.metadata.tables import TAGS, Table
from tams_graphql.resolvers.filters import TagFilter, matches_tags
from tams_graphql.resolvers.listing import FEW, Check, check_text
from tams_graphql.resolvers.reading import Found

_MOST_PARTS = 32


def check_tags(filters: Sequence[TagFilter]) -> tuple[Check, ...]:
    """The exact test of `filters`, on the tags in the row itself."""
    if not filters:
        return ()

    async def check(rows: list[Found]) -> list[Found]:
        return [row for row in rows if matches_tags(orjson.loads(str(row["tags_json"])), filters)]

    return (check,)


async def tagged(
    metadata: MetadataEngine, kind: str, filters: Sequence[TagFilter]
) -> list[frozenset[str]]:
    """For each filter that asks for tags and names few resources, their ids."""
    found = []
    for one in filters:
        check_text("tags", "".join([one.name, one.joined or "", *(one.any_of or ())]))
        ids = await _with_tag(metadata, kind, one)
        if ids is not None:
            found.append(ids)
    return found


async def labelled(metadata: MetadataEngine, table: Table, label: str) -> list[frozenset[str]]:
    """The ids of the resources with `label`, if they are few."""
    check_text("label", label)
    scan = Scan(
        table=table,
        order="label",
        prefix=(f"a{label}",),
        limit=FEW + 1,
        columns=table.orders["label"],
    )
    rows = await metadata.page(scan)
    ids = rows[table.key[0]].to_pylist()
    return [frozenset(ids)] if len(ids) <= FEW else []


def common(sets: Iterable[frozenset[str]]) -> frozenset[str] | None:
    """What all of `sets` have in common; ``None`` if there is none to narrow by."""
    narrowed: frozenset[str] | None = None
    for ids in sets:
        narrowed = ids if narrowed is None else narrowed & ids
    return narrowed


def _may_begin_with(joined: str) -> list[str] | None:
    """The values that a tag's first one can be if all of them, joined, are `joined`."""
    parts = joined.split(",")
    if len(parts) > _MOST_PARTS:
        return None
    return [",".join(parts[:count]) for count in range(1, len(parts) + 1)]


async def _with_tag(metadata: MetadataEngine, kind: str, one: TagFilter) -> frozenset[str] | None:
    values = one.any_of if one.joined is None else _may_begin_with(one.joined)
    if values is None and not one.exists:
        return None
    prefixes: list[Key] = [(kind, one.name)]
    if values is not None:
        prefixes = [(kind, one.name, value) for value in sorted(set(values))]
    scan = Scan(table=TAGS, limit=FEW + 1, columns=TAGS.key)
    ids = (await metadata.first_per_key(scan, prefixes))["resource_id"].to_pylist()
    return frozenset(ids) if len(ids) <= FEW else None
