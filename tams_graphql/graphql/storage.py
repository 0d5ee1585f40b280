"""Storage backends, and the allocation of storage for new objects."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import strawberry

from tams_graphql.graphql import connections as relay
from tams_graphql.graphql import fields
from tams_graphql.graphql import tags as tagging
from tams_graphql.graphql.connections import After, Before, Connection, First, Last, Node, Reverse
from tams_graphql.graphql.context import Info
from tams_graphql.graphql.errors import CreationInput, MutationPayload, answered
from tams_graphql.graphql.json_shapes import write_json
from tams_graphql.graphql.scalars import URL, UUID, MimeType
from tams_graphql.media import store as media
from tams_graphql.model.errors import InvalidInput
from tams_graphql.resolvers import service as service_resolvers
from tams_graphql.resolvers import storage as resolvers
from tams_graphql.resolvers.allocations import renew_allocations
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.idempotency import once


@strawberry.type(description="A place where Media Objects' bytes are kept.")
class StorageBackend(Node):
    """Spec 8.2, `storage-backend.json`."""

    storage_id: UUID
    label: str | None
    store_type: str
    provider: str
    store_product: str
    region: str | None
    availability_zone: str | None
    default_storage: bool
    record: strawberry.Private[media.StorageBackend]

    @fields.field(description="By name.")
    def tags(self) -> list[tagging.Tag]:
        """All of them."""
        return tagging.shown_tags(self.record.tags)

    @strawberry.field
    def tag(self, name: str) -> tagging.Tag | None:
        """One of them."""
        return tagging.shown_tag(self.record.tags, name)


def backend_of(record: media.StorageBackend) -> StorageBackend:
    """A storage backend as GraphQL shows it."""
    return StorageBackend(
        id=relay.global_id("StorageBackend", record.id),
        storage_id=UUID(record.id),
        label=record.label,
        store_type=record.store_type,
        provider=record.provider,
        store_product=record.store_product,
        region=record.region,
        availability_zone=record.availability_zone,
        default_storage=record.default_storage,
        record=record,
    )


def find_backend(info: Info, storage_id: str) -> StorageBackend | None:
    """A storage backend, or ``None`` if there is none."""
    store = info.context.tams.stores.by_id.get(storage_id)
    return None if store is None else backend_of(store.backend)


@strawberry.type
class StorageQueries:
    """The root fields about storage."""

    @fields.field(description="Storage backends, by label.")
    def storage_backends(
        self,
        info: Info,
        *,
        tags: list[tagging.TagFilterInput] | None = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        reverse: Reverse = False,
    ) -> Connection[StorageBackend]:
        """Spec 8.2, `GET /service/storage-backends`."""
        ctx, filters = info.context.tams, tagging.tag_filters(tags, "tags")
        at = relay.cut(first, after, last, before, reverse=reverse)
        page = service_resolvers.list_storage_backends(ctx, at.request, filters)

        async def count() -> int:
            every = relay.Cut(len(ctx.stores.by_id) + 1, None, backward=False, reverse=False)
            return len(service_resolvers.list_storage_backends(ctx, every.request, filters).items)

        return relay.connection(page, at, backend_of, count)


@strawberry.type(description="A header to send.")
class HttpHeader:
    """Name and value."""

    name: str
    value: str


@strawberry.type(
    description="How to upload bytes: PUT them to `url` with `contentType` and all `headers`."
)
class UploadRequest:
    """Spec 8.2, `http-request.json`."""

    url: URL
    content_type: MimeType
    headers: list[HttpHeader]


@strawberry.type(description="A new object id, and where its bytes go.")
class AllocatedObject:
    """Spec 8.2, `flow-storage.json`."""

    object_id: str
    upload: UploadRequest


@strawberry.input(description="Either `count` or `objectIds`.")
class AllocateStorageInput(CreationInput):
    """Spec 8.2, `flow-storage-post.json`."""

    flow_id: UUID
    count: int | None = strawberry.field(
        default=None, description="How many objects (at most 1,000); the server makes their ids."
    )
    object_ids: list[str] | None = strawberry.field(
        default=None, description="Ids of your own (at most 1,000), new to this service."
    )
    storage_id: UUID | None = strawberry.field(
        default=None, description="The storage backend; default: the service's default one."
    )
    content_type: MimeType | None = strawberry.field(
        default=None,
        description="Only for initialisation segments that differ from the Flow's container.",
    )
    sha256: list[str] | None = strawberry.field(
        default=None,
        description="SHA-256 of each object's bytes in base64, in the order of the objects: bytes"
        " that have another one are refused by the upload.",
    )


@strawberry.type
class AllocateStoragePayload(MutationPayload):
    """What was allocated."""

    objects: list[AllocatedObject] = strawberry.field(default_factory=list)


@strawberry.type
class StorageMutations:
    """What changes storage."""

    @fields.mutation(description="Get object ids, and URLs to upload their bytes to.")
    async def allocate_storage(
        self,
        info: Info,
        input: AllocateStorageInput,  # noqa: A002 - Relay's word
    ) -> AllocateStoragePayload:
        """Spec 8.2, `POST /flows/{flowId}/storage`."""
        return await answered(AllocateStoragePayload, input, _allocated(info, input))


async def _allocated(info: Info, given: AllocateStorageInput) -> Mapping[str, Any]:
    _check_count(given)
    body = {
        "limit": given.count,
        "object_ids": given.object_ids,
        "storage_id": given.storage_id,
        "content_type": given.content_type,
    }
    sent = {name: value for name, value in body.items() if value is not None}

    fresh = False

    async def allocate(ctx: Context) -> tuple[resolvers.AllocatedObject, ...]:
        nonlocal fresh
        fresh = True
        return await resolvers.allocate_storage(ctx, given.flow_id, sent, given.sha256)

    saved = await once(
        info.context.tams,
        "allocateStorage",
        given.idempotency_key,
        write_json(given),
        allocate,
        encode=_saved,
    )
    ctx, allocated = info.context.tams, list(_restored(saved))
    if not fresh:
        await renew_allocations(ctx, given.flow_id, allocated)
    return {"objects": [_shown(ctx, one) for one in allocated]}


def _check_count(given: AllocateStorageInput) -> None:
    if given.count is None:
        return
    if given.object_ids is not None:
        raise InvalidInput("count", "count_or_object_ids", "give count or objectIds, not both")
    most = resolvers.MAX_OBJECTS_PER_REQUEST
    if not 1 <= given.count <= most:
        message = f"count must be from 1 to {most}, not {given.count}"
        raise InvalidInput("count", "count.range", message)


def _saved(allocated: Sequence[resolvers.AllocatedObject]) -> list[list[str]]:
    """What differs between the objects, behind what they share; URLs are signed anew."""
    shared = [[one.storage_id, one.content_type] for one in allocated[:1]]
    digests = ([] if one.sha256 is None else [one.sha256] for one in allocated)
    return shared + [
        [one.object_id, one.key, *digest] for one, digest in zip(allocated, digests, strict=True)
    ]


def _restored(saved: Sequence[Sequence[str]]) -> Iterator[resolvers.AllocatedObject]:
    for object_id, key, *digest in saved[1:]:
        storage_id, content_type = saved[0]
        yield resolvers.AllocatedObject(object_id, storage_id, key, content_type, *digest)


def _shown(ctx: Context, allocated: resolvers.AllocatedObject) -> AllocatedObject:
    request = resolvers.upload_request(ctx, allocated)
    upload = UploadRequest(
        url=URL(request.url),
        content_type=MimeType(request.content_type),
        headers=[HttpHeader(name=name, value=value) for name, value in request.headers.items()],
    )
    return AllocatedObject(object_id=allocated.object_id, upload=upload)
