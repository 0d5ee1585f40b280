"""Media Objects and their instances."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Changes, Key, OneOf, Scan, View, media_object
from tams_graphql.metadata.tables import DELETE_REQUESTS, FLOWS, OBJECTS, REFERENCES
from tams_graphql.model.errors import InvalidInput, NotFound
from tams_graphql.model.records import Instance, MediaObject
from tams_graphql.model.segment_input import UncontrolledUrl
from tams_graphql.model.validation import validated
from tams_graphql.resolvers.authorise import Action, authorise
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.copying import cancel_copies
from tams_graphql.resolvers.discard import discard_in_passing
from tams_graphql.resolvers.filters import TagFilter
from tams_graphql.resolvers.instances import format_instances, parse_instances
from tams_graphql.resolvers.narrowing import check_tags
from tams_graphql.resolvers.paging import Page, PageRequest, decode_cursor
from tams_graphql.resolvers.reading import Found, all_per_key, all_rows
from tams_graphql.resolvers.references import spread_instances, update_object
from tams_graphql.resolvers.registration import with_uncontrolled
from tams_graphql.resolvers.removal import discard
from tams_graphql.resolvers.storage import backend_labels
from tams_graphql.resolvers.timelines import timelines_of
from tams_graphql.timeline import TimeRange

_REFERENCES_AT_ONCE = 1000
_AFTER_ANY_ID = "~"
"""Sorts after every id that the server makes."""
_ORPHANED_TIMELINES = Scan(
    table=DELETE_REQUESTS,
    order="due",
    limit=1,
    where=(OneOf("orphaned", (True,)),),
    columns=("request_id",),
)


async def get_object(ctx: Context, object_id: str) -> MediaObject:
    """One registered object, through the request's dataloader.

    Raises:
        NotFound: unknown, or allocated but not registered (spec 8.2).
    """
    authorise(ctx, Action.READ, "object", object_id)
    row = await ctx.loaders.load("object", partial(load_objects, ctx), known_text(object_id))
    if row is None:
        raise NotFound("object", object_id)
    return _object_from_row(row)


async def first_flow(ctx: Context, media: MediaObject) -> str | None:
    """Id of the flow that used an object first, if that still exists (spec 8.2, `object.json`)."""
    authorise(ctx, Action.READ, "object", media.id)
    flow_id = media.first_referenced_by_flow
    if flow_id is None:
        return None
    found = await ctx.metadata.get(FLOWS, [(flow_id,)], ("flow_id",))
    return flow_id if found.num_rows else None


async def object_flows(
    ctx: Context, object_id: str, page: PageRequest, flow_tags: tuple[TagFilter, ...] = ()
) -> Page[str]:
    """Ids of the flows whose segments use the object, by id."""
    authorise(ctx, Action.READ, "object", object_id)
    after: Key | None = None
    if page.after is not None:
        (flow_id,) = decode_cursor("object flows", page.after, page.field, (str,))
        # Whatever timeline the flow had, or gets meanwhile: it was on the page before.
        after = (flow_id, "" if page.reverse else _AFTER_ANY_ID)
    found: list[str] = []
    more = True
    while more and len(found) <= page.limit:
        scan = Scan(
            table=REFERENCES,
            order="flow",
            prefix=(known_text(object_id),),
            after=after,
            limit=_REFERENCES_AT_ONCE if flow_tags else page.limit + 1,
            reverse=page.reverse,
            columns=(*REFERENCES.key, "flow_id"),
        )
        rows = (await ctx.metadata.page(scan)).to_pylist()
        found += await _live(ctx, rows, flow_tags)
        more = len(rows) == scan.limit
        after = (rows[-1]["flow_id"], rows[-1]["timeline_id"]) if rows else after
    items = found[: page.limit]
    return Page(
        items=items,
        positions=[(flow_id,) for flow_id in items],
        listing="object flows",
        has_more=len(found) > page.limit,
    )


async def add_uncontrolled_instance(
    ctx: Context, object_id: str, url: str, label: str
) -> MediaObject:
    """Advertise the object's bytes at a client's URL as well. The same again changes nothing.

    Raises:
        NotFound: no such object.
        InvalidInput: the URL is malformed; the label is taken by a backend or another instance.
    """
    authorise(ctx, Action.WRITE, "object", object_id)
    given = validated(UncontrolledUrl, {"url": url, "label": label})
    labels = backend_labels(ctx)

    def added(_: View, __: Edits, instances: tuple[Instance, ...]) -> tuple[Instance, ...]:
        return with_uncontrolled(instances, given, labels, "")

    return await _change_instances(ctx, object_id, added)


async def remove_instance(
    ctx: Context, object_id: str, *, storage_id: str | None = None, label: str | None = None
) -> MediaObject:
    """Stop advertising an instance; delete its bytes if they are ours.

    A copy that is still being made is cancelled instead. `label` names an uncontrolled
    instance, or a controlled one by its backend's label.

    Raises:
        NotFound: no such object or instance.
        InvalidInput: neither or both given, or it is the last instance.
    """
    authorise(ctx, Action.DELETE, "object", object_id)
    if (storage_id is None) == (label is None):
        raise InvalidInput(
            "storage_id", "storage_id_or_label", "give either storage_id or label, not both"
        )
    now_us = ctx.clock()
    labelled = {
        store.backend.id for store in ctx.stores.by_id.values() if store.backend.label == label
    }

    def is_meant(instance: Instance) -> bool:
        if storage_id is not None:
            return instance.storage_id == storage_id
        return (
            instance.label == label if not instance.controlled else instance.storage_id in labelled
        )

    def removed(view: View, edits: Edits, instances: tuple[Instance, ...]) -> tuple[Instance, ...]:
        meant = [instance for instance in instances if is_meant(instance)]
        kept = tuple(instance for instance in instances if instance not in meant)
        if not meant:
            if cancel_copies(view, edits, object_id, labelled | {storage_id}):
                return instances
            raise NotFound("instance", storage_id or label or "")
        if not kept:
            message = "it is the object's last instance; delete the segments that use it instead"
            raise InvalidInput("storage_id" if storage_id else "label", "instance.last", message)
        discard(edits, meant, now_us)
        return kept

    changed = await _change_instances(ctx, object_id, removed)
    await discard_in_passing(ctx)
    return changed


async def load_objects(ctx: Context, object_ids: Sequence[str]) -> list[Mapping[str, Any] | None]:
    """The rows of registered objects, in the order of `object_ids`."""
    rows, orphans = await asyncio.gather(
        ctx.metadata.get(OBJECTS, [(object_id,) for object_id in object_ids]),
        ctx.metadata.page(_ORPHANED_TIMELINES),
    )
    found = {row["object_id"]: row for row in rows.to_pylist() if row["state"] == "registered"}
    # Only where timelines wait to be taken apart can an object be left that nobody refers to.
    if orphans.num_rows:
        kept = await _referenced(ctx, list(found))
        found = {object_id: row for object_id, row in found.items() if object_id in kept}
    return [found.get(object_id) for object_id in object_ids]


async def _referenced(ctx: Context, object_ids: Sequence[str]) -> set[str]:
    """Those of the objects that a flow refers to which is still there."""
    scan = Scan(table=REFERENCES, columns=(*REFERENCES.key, "flow_id"))
    references = await all_per_key(ctx.metadata, scan, [(one,) for one in object_ids])
    timelines = set((await timelines_of(ctx, _flows_of(references))).values())
    return {row["object_id"] for row in references if row["timeline_id"] in timelines}


def _flows_of(references: Sequence[Found]) -> list[str]:
    return list(dict.fromkeys(row["flow_id"] for row in references))


def known_text(object_id: str) -> str:
    """`object_id`, if it can be one.

    Raises:
        NotFound: it holds half of a character.
    """
    if any("\ud800" <= char <= "\udfff" for char in object_id):
        raise NotFound("object", ascii(object_id))
    return object_id


def _object_from_row(row: Mapping[str, Any]) -> MediaObject:
    is_init = row["role"] == "init"
    return MediaObject(
        id=row["object_id"],
        incarnation=row["incarnation"],
        role=row["role"],
        first_referenced_by_flow=row["first_flow_id"],
        timerange=None if is_init else TimeRange(row["start_ns"], row["end_ns"], row["bounds"]),
        key_frame_count=row["key_frame_count"],
        content_type=row["content_type"],
        init_object_id=row["init_object_id"],
        instances=parse_instances(row["instances_json"]),
        created_us=row["created_us"],
    )


async def _live(
    ctx: Context, references: Sequence[Found], flow_tags: tuple[TagFilter, ...]
) -> list[str]:
    """The flows among `references` whose timeline is the referring one, and that match."""
    keys: list[Key] = [(flow_id,) for flow_id in _flows_of(references)]
    columns = ("flow_id", "timeline_id", *(("tags_json",) if flow_tags else ()))
    rows = (await ctx.metadata.get(FLOWS, keys, columns)).to_pylist()
    for check in check_tags(flow_tags):
        rows = await check(rows)
    matching = {row["flow_id"]: row["timeline_id"] for row in rows}
    return [
        row["flow_id"] for row in references if matching.get(row["flow_id"]) == row["timeline_id"]
    ]


async def _change_instances(
    ctx: Context,
    object_id: str,
    change: Callable[[View, Edits, tuple[Instance, ...]], tuple[Instance, ...]],
) -> MediaObject:
    """Change an object's instances, and the copies in all segments that use it."""
    known_text(object_id)

    def command(view: View) -> Changes[MediaObject]:
        edits = Edits()
        row = registered_object(view, object_id)
        instances = parse_instances(row["instances_json"])
        after = change(view, edits, instances)
        changed = {**row, "instances_json": format_instances(after)}
        if after != instances:
            update_object(edits, changed)
            spread_instances(view, edits, changed)
        return edits.changes(_object_from_row(changed))

    answer = await ctx.metadata.commit(command, [media_object(object_id)])
    ctx.loaders.forget()
    return answer


def registered_object(view: View, object_id: str) -> Mapping[str, Any]:
    """The row of a registered object.

    Raises:
        NotFound: there is none, or only a timeline keeps it that is taken apart.
    """
    for row in view.get(OBJECTS, [(object_id,)]).to_pylist():
        if row["state"] == "registered" and _is_live(view, object_id):
            found: Mapping[str, Any] = row
            return found
    raise NotFound("object", object_id)


def _is_live(view: View, object_id: str) -> bool:
    """Whether a flow that is still there refers to the object."""
    if not view.page(_ORPHANED_TIMELINES).num_rows:
        return True
    columns = (*REFERENCES.key, "flow_id")
    scan = Scan(table=REFERENCES, prefix=(object_id,), columns=columns)
    references = all_rows(view, scan).to_pylist()
    keys: list[Key] = [(flow_id,) for flow_id in _flows_of(references)]
    flows = view.get(FLOWS, keys, ("flow_id", "timeline_id"))["timeline_id"].to_pylist()
    return not set(flows).isdisjoint(row["timeline_id"] for row in references)
