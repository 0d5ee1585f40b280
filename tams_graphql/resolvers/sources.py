"""Sources: they come with their first flow and go with their last."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from tams_graphql.metadata import engine, tables
from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Changes, View
from tams_graphql.model.errors import NotFound
from tams_graphql.model.identifiers import known_form
from tams_graphql.model.records import CollectionItem, Source, Tags, TagValue
from tams_graphql.model.tags import tag_value
from tams_graphql.model.vocabulary import EventType
from tams_graphql.resolvers.announcing import Announcer
from tams_graphql.resolvers.authorise import Action, authorise
from tams_graphql.resolvers.collections import (
    load_source_collected_by,
    load_source_collections,
)
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.filters import SourceFilter
from tams_graphql.resolvers.listing import count_all, list_page
from tams_graphql.resolvers.paging import Page, PageRequest
from tams_graphql.resolvers.properties import (
    SOURCE_PROPERTIES,
    checked_tags,
    property_value,
    with_tag,
    with_tags,
)
from tams_graphql.resolvers.row_values import edit_tags
from tams_graphql.resolvers.source_listing import source_listing
from tams_graphql.resolvers.source_rows import changed_columns, source_from_row
from tams_graphql.resolvers.stamp import Stamp


async def get_source(ctx: Context, source_id: str) -> Source:
    """One Source, through the request's dataloader.

    Raises:
        NotFound: no such source.
    """
    authorise(ctx, Action.READ, "source", source_id)
    known_form("source", source_id)
    source = await ctx.loaders.load("source", partial(_load_sources, ctx), source_id)
    if source is None:
        raise NotFound("source", source_id)
    return source


async def list_sources(ctx: Context, filters: SourceFilter, page: PageRequest) -> Page[Source]:
    """A page of Sources; `created` and `updated` put the most recent first (spec 8.2)."""
    authorise(ctx, Action.READ, "source")
    return await list_page(ctx.metadata, await source_listing(ctx, filters), page)


async def count_sources(ctx: Context, filters: SourceFilter) -> int:
    """How many Sources match; costs a scan."""
    authorise(ctx, Action.READ, "source")
    return await count_all(ctx.metadata, await source_listing(ctx, filters))


async def set_source_property(ctx: Context, source_id: str, name: str, value: str | None) -> Source:
    """Set ``label`` or ``description``; ``None`` removes it.

    Raises:
        NotFound, InvalidInput.
    """
    change = {name: property_value(SOURCE_PROPERTIES, name, value)}
    return await _revise(ctx, source_id, lambda source: replace(source, **change))


async def set_source_tag(
    ctx: Context,
    source_id: str,
    name: str,
    value: TagValue | None,
    *,
    restore: Callable[[Any, str, Tags], TagValue] | None = None,
) -> Source:
    """Set one tag; ``None`` removes it.

    Args:
        ctx: the request.
        source_id: which Source.
        name: the tag's.
        value: its value.
        restore: given that, its name and the stored tags: the value to set instead.

    Raises:
        NotFound: no such source, or (when removing) no such tag.
        InvalidInput: not a string or list of strings.
    """
    if value is not None:
        value = tag_value(name, value)

    def change(source: Source) -> Source:
        given = value if restore is None else restore(value, name, source.tags)
        return replace(source, tags=with_tag(source.tags, name, given))

    return await _revise(ctx, source_id, change)


async def update_source(
    ctx: Context,
    source_id: str,
    properties: Mapping[str, str | None],
    tags: Mapping[str, TagValue | None],
) -> Source:
    """Set several properties and tags, all or none; ``None`` removes.

    Args:
        ctx: the request.
        source_id: which Source.
        properties: by name, as `set_source_property`.
        tags: by name, as `set_source_tag`.

    Raises:
        NotFound, InvalidInput: as `set_source_property` and `set_source_tag`.
    """
    values = {
        name: property_value(SOURCE_PROPERTIES, name, value) for name, value in properties.items()
    }
    changes = checked_tags(tags)
    return await _revise(
        ctx,
        source_id,
        lambda source: replace(source, **values, tags=with_tags(source.tags, changes)),
    )


async def source_collection(ctx: Context, source_id: str) -> tuple[CollectionItem, ...]:
    """The Sources that this one collects, inferred from flow collections. Batched."""
    authorise(ctx, Action.READ, "source", source_id)
    batch = partial(load_source_collections, ctx.loaders)
    return await ctx.loaders.load("source collection", batch, source_id)


async def source_collected_by(ctx: Context, source_id: str) -> tuple[str, ...]:
    """Ids of the Sources that collect this one. Batched."""
    authorise(ctx, Action.READ, "source", source_id)
    batch = partial(load_source_collected_by, ctx.loaders)
    return await ctx.loaders.load("source collected by", batch, source_id)


async def _load_sources(ctx: Context, source_ids: Sequence[str]) -> list[Source | None]:
    rows = await ctx.metadata.get(tables.SOURCES, [(source_id,) for source_id in source_ids])
    found = {row["source_id"]: source_from_row(row) for row in rows.to_pylist()}
    return [found.get(source_id) for source_id in source_ids]


async def _revise(ctx: Context, source_id: str, change: Callable[[Source], Source]) -> Source:
    authorise(ctx, Action.WRITE, "source", source_id)
    known_form("source", source_id)
    stamp = Stamp.of(ctx)

    def command(view: View) -> Changes[Source]:
        edits = Edits()
        return edits.changes(_revised(view, edits, source_id, change, stamp))

    source = await ctx.metadata.commit(command, [engine.source(source_id)])
    ctx.loaders.forget()
    return source


def _revised(
    view: View, edits: Edits, source_id: str, change: Callable[[Source], Source], stamp: Stamp
) -> Source:
    rows = view.get(tables.SOURCES, [(source_id,)]).to_pylist()
    if not rows:
        raise NotFound("source", source_id)
    before = source_from_row(rows[0])
    wanted = change(before)
    if changed_columns(before, wanted) is None:
        return before
    after = stamp.on_source(wanted)
    changed = changed_columns(before, after)
    if changed is not None:
        edits.update(tables.SOURCES, changed)
        Announcer(view, edits, stamp).source(EventType.SOURCES_UPDATED, after)
    edit_tags(edits, "source", source_id, before.tags, after.tags)
    return after
