"""Media Objects and their instances.

An object copied to another backend is written there first and advertised afterwards:

1. A note in DISCARDED_MEDIA, dated an hour ahead, says that bytes are under way.
2. The bytes are copied.
3. One command takes the note away and advertises the new instance; if the object is gone by
   then, the note is dated to now instead.

A crash in between leaves a note, and the bytes are deleted once it is due.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from tams_graphql.media.store import MediaStore, new_key
from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Changes, Scan, View, media_object
from tams_graphql.metadata.tables import DISCARDED_MEDIA, FLOWS, OBJECTS, REFERENCES
from tams_graphql.model.errors import InvalidInput, MediaStoreError, NotFound, Unavailable
from tams_graphql.model.records import Instance, MediaObject
from tams_graphql.model.segment_input import UncontrolledUrl
from tams_graphql.model.validation import validated
from tams_graphql.resolvers.authorise import Action, authorise
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.discard import discard_in_passing
from tams_graphql.resolvers.filters import TagFilter
from tams_graphql.resolvers.instances import format_instances, parse_instances
from tams_graphql.resolvers.narrowing import check_tags
from tams_graphql.resolvers.paging import Page, PageRequest, decode_cursor
from tams_graphql.resolvers.references import spread_instances, update_object
from tams_graphql.resolvers.registration import with_uncontrolled
from tams_graphql.resolvers.removal import discard
from tams_graphql.resolvers.storage import backend_labels, known_store
from tams_graphql.timeline import TimeRange

_COPY_US = 3_600_000_000
"""How long a copy may take before its bytes count as abandoned, in microseconds."""

_REFERENCES_AT_ONCE = 1000


async def get_object(ctx: Context, object_id: str) -> MediaObject:
    """One registered object, through the request's dataloader.

    Raises:
        NotFound: unknown, or allocated but not registered (spec 8.2).
    """
    authorise(ctx, Action.READ, "object", object_id)
    row = await ctx.loaders.load("object", partial(_load_objects, ctx), _known_text(object_id))
    if row is None:
        raise NotFound("object", object_id)
    return _object_from_row(row)


async def object_flows(
    ctx: Context, object_id: str, page: PageRequest, flow_tags: tuple[TagFilter, ...] = ()
) -> Page[str]:
    """Ids of the flows whose segments use the object, by id."""
    authorise(ctx, Action.READ, "object", object_id)
    after = None
    if page.after is not None:
        after = decode_cursor("object flows", page.after, page.field, (str,))
    found: list[str] = []
    more = True
    while more and len(found) <= page.limit:
        scan = Scan(
            table=REFERENCES,
            prefix=(_known_text(object_id),),
            after=after,
            limit=_REFERENCES_AT_ONCE if flow_tags else page.limit + 1,
            reverse=page.reverse,
            columns=REFERENCES.key,
        )
        flow_ids = (await ctx.metadata.page(scan))["flow_id"].to_pylist()
        found += await _tagged(ctx, flow_ids, flow_tags)
        more = len(flow_ids) == scan.limit
        after = (flow_ids[-1],) if flow_ids else after
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


async def copy_instance(ctx: Context, object_id: str, storage_id: str) -> MediaObject:
    """Copy the object to another backend and advertise it there.

    Raises:
        NotFound: no such object.
        InvalidInput: no such backend, or it holds the object already, or no backend of ours
            has its bytes.
        Unavailable: a store did not answer.
    """
    authorise(ctx, Action.WRITE, "object", object_id)
    target = known_store(ctx, storage_id)
    row = (await _load_objects(ctx, [_known_text(object_id)]))[0]
    if row is None:
        raise NotFound("object", object_id)
    source = _source_of_copy(ctx, row, storage_id)
    copy = Instance(storage_id, new_key())
    await _note(ctx, copy, ctx.clock() + _COPY_US)
    try:
        await _copy(ctx, source, target, copy, row["content_type"])
        return await _advertise(ctx, object_id, copy)
    except MediaStoreError:
        await _redate(ctx, copy, ctx.clock())
        await discard_in_passing(ctx)
        raise


async def remove_instance(
    ctx: Context, object_id: str, *, storage_id: str | None = None, label: str | None = None
) -> MediaObject:
    """Stop advertising an instance; delete its bytes if they are ours.

    `label` names an uncontrolled instance, or a controlled one by its backend's label.

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

    def removed(_: View, edits: Edits, instances: tuple[Instance, ...]) -> tuple[Instance, ...]:
        meant = [instance for instance in instances if is_meant(instance)]
        kept = tuple(instance for instance in instances if instance not in meant)
        if not meant:
            raise NotFound("instance", storage_id or label or "")
        if not kept:
            message = "it is the object's last instance; delete the segments that use it instead"
            raise InvalidInput("storage_id" if storage_id else "label", "instance.last", message)
        discard(edits, meant, now_us)
        return kept

    changed = await _change_instances(ctx, object_id, removed)
    await discard_in_passing(ctx)
    return changed


async def _load_objects(ctx: Context, object_ids: Sequence[str]) -> list[Mapping[str, Any] | None]:
    rows = await ctx.metadata.get(OBJECTS, [(object_id,) for object_id in object_ids])
    found = {row["object_id"]: row for row in rows.to_pylist() if row["state"] == "registered"}
    return [found.get(object_id) for object_id in object_ids]


def _known_text(object_id: str) -> str:
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


async def _tagged(
    ctx: Context, flow_ids: Sequence[str], flow_tags: tuple[TagFilter, ...]
) -> list[str]:
    if not flow_tags or not flow_ids:
        return list(flow_ids)
    keys = [(flow_id,) for flow_id in flow_ids]
    rows = (await ctx.metadata.get(FLOWS, keys, ("flow_id", "tags_json"))).to_pylist()
    for check in check_tags(flow_tags):
        rows = await check(rows)
    matching = {row["flow_id"] for row in rows}
    return [flow_id for flow_id in flow_ids if flow_id in matching]


async def _change_instances(
    ctx: Context,
    object_id: str,
    change: Callable[[View, Edits, tuple[Instance, ...]], tuple[Instance, ...]],
) -> MediaObject:
    """Change an object's instances, and the copies in all segments that use it."""
    _known_text(object_id)

    def command(view: View) -> Changes[MediaObject]:
        edits = Edits()
        row = _registered(view, object_id)
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


def _registered(view: View, object_id: str) -> Mapping[str, Any]:
    for row in view.get(OBJECTS, [(object_id,)]).to_pylist():
        if row["state"] == "registered":
            found: Mapping[str, Any] = row
            return found
    raise NotFound("object", object_id)


def _source_of_copy(ctx: Context, row: Mapping[str, Any], storage_id: str) -> Instance:
    instances = parse_instances(row["instances_json"])
    _refuse_second(instances, storage_id)
    for instance in instances:
        if instance.storage_id in ctx.stores.by_id:
            return instance
    raise InvalidInput(
        "storage_id",
        "instance.uncontrolled",
        f"object {row['object_id']!r} has no instance in a storage backend of this service",
    )


def _refuse_second(instances: Sequence[Instance], storage_id: str) -> None:
    if any(instance.storage_id == storage_id for instance in instances):
        message = f"storage backend {storage_id!r} holds the object already"
        raise InvalidInput("storage_id", "instance.exists", message)


async def _copy(
    ctx: Context, source: Instance, target: MediaStore, copy: Instance, content_type: str | None
) -> None:
    from_store = ctx.stores.by_id[source.storage_id or ""]
    from_key, key = source.key or "", copy.key or ""
    stored = await from_store.stat(from_key)
    kind = (stored and stored.content_type) or content_type or "application/octet-stream"
    if stored is None or not await target.copy_from(from_store, from_key, key, kind):
        await target.write(key, _bytes_of(from_store, from_key), kind)


async def _bytes_of(store: MediaStore, key: str) -> AsyncIterator[bytes]:
    try:
        async for piece in store.read(key):
            yield piece
    except KeyError:
        # Registered, but never uploaded: bytes are not checked at registration.
        raise InvalidInput(
            "storage_id", "instance.no_bytes", "the object's bytes have not been uploaded"
        ) from None


async def _advertise(ctx: Context, object_id: str, copy: Instance) -> MediaObject:
    place = (copy.storage_id, copy.key)

    def added(view: View, edits: Edits, instances: tuple[Instance, ...]) -> tuple[Instance, ...]:
        _refuse_second(instances, copy.storage_id or "")
        if not view.get(DISCARDED_MEDIA, [place]).num_rows:
            raise Unavailable("the copy took so long that it was abandoned; try again")
        edits.delete(DISCARDED_MEDIA, place)
        return (*instances, copy)

    return await _change_instances(ctx, object_id, added)


async def _note(ctx: Context, copy: Instance, discarded_us: int) -> None:
    def note(_: View) -> Changes[None]:
        edits = Edits()
        discard(edits, [copy], discarded_us)
        return edits.changes(None)

    await ctx.metadata.commit(note, ())


async def _redate(ctx: Context, copy: Instance, discarded_us: int) -> None:
    def redate(_: View) -> Changes[None]:
        edits = Edits()
        edits.update(
            DISCARDED_MEDIA,
            {
                "storage_id": copy.storage_id,
                "storage_key": copy.key,
                "discarded_us": discarded_us,
            },
        )
        return edits.changes(None)

    await ctx.metadata.commit(redate, ())
