"""Storage allocation: where clients put the bytes of new objects."""

import re
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tams_graphql.media.store import MediaStore, UploadRequest, new_key
from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Aggregate, Changes, Key, View, creation, flow
from tams_graphql.metadata.tables import OBJECTS
from tams_graphql.model.errors import InvalidInput, Problem, TooLarge
from tams_graphql.model.identifiers import known_form
from tams_graphql.model.records import Flow, Instance
from tams_graphql.model.storage_input import StoragePost
from tams_graphql.model.validation import validated
from tams_graphql.resolvers.authorise import Action, authorise
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.flow_changes import writable_flow
from tams_graphql.resolvers.instances import parse_instances
from tams_graphql.resolvers.references import allocated_object, index_instance

MAX_OBJECTS_PER_REQUEST = 1000
DEFAULT_OBJECTS_PER_REQUEST = 1

HEAD_SUFFIX: Final = ":head"
"""What REST puts behind a backend's label to label URLs that are for HEAD alone."""

# 43 characters for 32 bytes; the last one holds four bits, and two that are zero.
_DIGEST = re.compile("[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=")


@dataclass(frozen=True, slots=True)
class AllocatedObject:
    """A new object id, and where its bytes go; `upload_request` tells how to put them there."""

    object_id: str
    storage_id: str
    key: str
    content_type: str
    sha256: str | None = None


async def allocate_storage(
    ctx: Context, flow_id: str, body: Mapping[str, Any], sha256: Sequence[str] | None = None
) -> tuple[AllocatedObject, ...]:
    """Allocate storage from the JSON body of spec 8.2 `flow-storage-post.json`.

    A `limit` beyond `MAX_OBJECTS_PER_REQUEST` is clamped to it. Every upload is presigned. With
    `sha256`, a digest in base64 for each object in their order, only such bytes can be uploaded
    (an extension: the specification has no place for it).

    Raises:
        NotFound, Forbidden: no such flow, or it is read-only.
        InvalidInput: the flow has no container, an object id exists or is given twice, the
            backend is unknown or not named and there is no default, `presigned` is false, or a
            digest is malformed, missing or one too many.
        TooLarge: more than `MAX_OBJECTS_PER_REQUEST` object ids.
    """
    authorise(ctx, Action.WRITE, "flow", flow_id)
    known_form("flow", flow_id)
    post = validated(StoragePost, body)
    store = _chosen_store(ctx, post)
    ids = _object_ids(post)
    digests = _digests(sha256, len(ids))
    keys = {object_id: new_key() for object_id in ids}
    now_us = ctx.clock()

    def allocate(view: View) -> Changes[tuple[AllocatedObject, ...]]:
        container = container_of(writable_flow(view, flow_id))
        content_type = post.content_type or container
        _refuse_existing(view, post.object_ids or ())
        edits = Edits()
        for object_id, key in keys.items():
            place = Instance(store.backend.id, key)
            row = allocated_object(object_id, flow_id, content_type, place, now_us)
            edits.insert(OBJECTS, row)
            index_instance(edits, row, place, now_us)
        return edits.changes(
            tuple(
                AllocatedObject(object_id, store.backend.id, key, content_type, digest)
                for (object_id, key), digest in zip(keys.items(), digests, strict=True)
            )
        )

    return await ctx.metadata.commit(allocate, _relied_on(flow_id, post.object_ids or ()))


def upload_request(ctx: Context, allocated: AllocatedObject) -> UploadRequest:
    """How to upload an object's bytes; signed now, so that it can be asked for again later.

    Raises:
        InvalidInput: its storage backend is no longer configured.
    """
    store = known_store(ctx, allocated.storage_id)
    return store.put_request(
        allocated.key, allocated.object_id, allocated.content_type, allocated.sha256
    )


async def may_upload(ctx: Context, object_id: str, storage_id: str, key: str) -> bool:
    """Whether bytes may still be put: allocated there, and not yet registered."""
    columns = ("state", "instances_json")
    rows = (await ctx.metadata.get(OBJECTS, [(object_id,)], columns)).to_pylist()
    return any(
        row["state"] == "allocated"
        and Instance(storage_id, key) in parse_instances(row["instances_json"])
        for row in rows
    )


def container_of(flow: Flow) -> str:
    """The flow's container, without which it can't have media objects.

    Raises:
        InvalidInput: it is not set (spec 8.2, `POST /flows/{flowId}/storage` and `/segments`).
    """
    if flow.container is None:
        raise InvalidInput(
            "container", "flow.no_container", f"flow {flow.id!r} has no container; set it first"
        )
    return flow.container


def _chosen_store(ctx: Context, post: StoragePost) -> MediaStore:
    if post.presigned is False:
        raise InvalidInput(
            "presigned",
            "presigned.unsupported",
            "this service hands out presigned URLs only; leave presigned out or set it to true",
        )
    if post.storage_id is None:
        if ctx.stores.default is None:
            raise InvalidInput(
                "storage_id", "required", "this service has no default storage backend; name one"
            )
        return ctx.stores.default
    return known_store(ctx, post.storage_id)


def known_store(ctx: Context, storage_id: str) -> MediaStore:
    """The storage backend that a client named.

    Raises:
        InvalidInput: there is none of that id.
    """
    store = ctx.stores.by_id.get(storage_id)
    if store is None:
        raise InvalidInput(
            "storage_id", "storage_id.unknown", f"there is no storage backend {storage_id!r}"
        )
    return store


def backend_labels(ctx: Context) -> frozenset[str]:
    """What no uncontrolled URL may be labelled: clients would take it for one of a backend.

    Those are the labels of our storage backends, also of their HEAD URLs, and their ids.
    """
    backends = [store.backend for store in ctx.stores.by_id.values()]
    labels = {backend.label for backend in backends if backend.label is not None}
    heads = {f"{label}{HEAD_SUFFIX}" for label in labels}
    return frozenset(labels | heads | {backend.id for backend in backends})


def _object_ids(post: StoragePost) -> Sequence[str]:
    if post.object_ids is None:
        limit = DEFAULT_OBJECTS_PER_REQUEST if post.limit is None else post.limit
        return [str(uuid.uuid4()) for _ in range(min(limit, MAX_OBJECTS_PER_REQUEST))]
    if len(post.object_ids) > MAX_OBJECTS_PER_REQUEST:
        message = f"object_ids holds more than {MAX_OBJECTS_PER_REQUEST} ids"
        raise TooLarge(message, (Problem("object_ids", "too_many", message),))
    seen = Counter(post.object_ids)
    _refuse_ids(
        post.object_ids, {one for one, n in seen.items() if n > 1}, "duplicate", "is given twice"
    )
    return post.object_ids


def _digests(sha256: Sequence[str] | None, count: int) -> Sequence[str | None]:
    if sha256 is None:
        return [None] * count
    if len(sha256) != count:
        message = f"{len(sha256)} digests were given for {count} objects"
        raise InvalidInput("sha256", "digest.count", message)
    message = "must be the 32 bytes of a SHA-256 digest in base64"
    problems = [
        Problem(f"sha256.{index}", "digest.format", message)
        for index, text in enumerate(sha256)
        if _DIGEST.fullmatch(text) is None
    ]
    if problems:
        raise InvalidInput.of(problems)
    return sha256


def _refuse_existing(view: View, chosen: Sequence[str]) -> None:
    keys: list[Key] = [(object_id,) for object_id in chosen]
    known = set(view.get(OBJECTS, keys, ("object_id",))["object_id"].to_pylist()) if keys else set()
    _refuse_ids(chosen, known, "object_id.exists", "exists already")


def _refuse_ids(chosen: Sequence[str], bad: set[str], rule: str, what: str) -> None:
    problems = [
        Problem(f"object_ids.{index}", rule, f"object id {object_id!r} {what}")
        for index, object_id in enumerate(chosen)
        if object_id in bad
    ]
    if problems:
        raise InvalidInput.of(problems)


def _relied_on(flow_id: str, chosen: Sequence[str]) -> list[Aggregate]:
    # Ids that we make are random: nobody else can create them at the same time.
    return [flow(flow_id), *(creation("object", object_id) for object_id in chosen)]
