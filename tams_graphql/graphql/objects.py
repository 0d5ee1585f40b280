"""Media Objects and where their bytes are."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from tams_graphql.graphql import connections as relay
from tams_graphql.graphql import fields
from tams_graphql.graphql import tags as tagging
from tams_graphql.graphql.connections import After, Before, Connection, First, Last, Node, Reverse
from tams_graphql.graphql.context import Info
from tams_graphql.graphql.enums import ObjectRole
from tams_graphql.graphql.errors import MutationInput, MutationPayload, answered, shown_or_null
from tams_graphql.graphql.scalars import URL, UUID, DateTime, Int64, MimeType
from tams_graphql.graphql.storage import StorageBackend, find_backend
from tams_graphql.graphql.timeline import TimelineRange, timeline_range
from tams_graphql.graphql.urls import GetUrl, GetUrlFilter, shown_urls
from tams_graphql.model import records
from tams_graphql.model.errors import InvalidInput
from tams_graphql.model.records import CopyState
from tams_graphql.resolvers import copies as copy_resolvers
from tams_graphql.resolvers import flows as flow_resolvers
from tams_graphql.resolvers import objects as resolvers
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.filters import TagFilter
from tams_graphql.resolvers.paging import PageRequest

if TYPE_CHECKING:
    from tams_graphql.graphql.flows import Flow

LazyFlow = Annotated["Flow", strawberry.lazy("tams_graphql.graphql.flows")]


@strawberry.type(description="A place where an object's bytes are, without a signed URL.")
class ObjectInstance:
    """In a storage backend, or at a client's URL."""

    label: str | None
    controlled: bool = strawberry.field(description="Whether this service manages the bytes.")
    url: URL | None = strawberry.field(description="Of an uncontrolled instance.")
    storage_backend: StorageBackend | None


@strawberry.type(description="A copy of an object to a storage backend, and how far it is.")
class ObjectCopy:
    """From the request until a day after its end."""

    storage_backend: StorageBackend | None
    state: CopyState
    bytes_done: Int64
    bytes_total: Int64
    error: str | None = strawberry.field(
        description="Why it failed; of a running one, what it waits for before it goes on."
    )
    created: DateTime
    updated: DateTime


@strawberry.type(description="A piece of media, immutable, used by Flow Segments.")
class MediaObject(Node):
    """Spec 8.2, `object.json`."""

    object_id: str
    role: ObjectRole
    timerange: TimelineRange | None = strawberry.field(
        description="On its own timeline; none for an initialisation object."
    )
    key_frame_count: int | None
    content_type: MimeType | None
    created: DateTime
    record: strawberry.Private[records.MediaObject]

    @fields.field(description="The Flow that used it first, if that still exists.")
    async def first_referenced_by_flow(self, info: Info) -> LazyFlow | None:
        """Through the dataloader."""
        from tams_graphql.graphql.flows import find_flow  # noqa: PLC0415 - the nouns know each other

        flow_id = self.record.first_referenced_by_flow
        return None if flow_id is None else await find_flow(info, flow_id)

    @fields.field(description="The initialisation object that a decoder needs before it.")
    async def init_object(self, info: Info) -> "MediaObject | None":
        """Through the dataloader."""
        object_id = self.record.init_object_id
        return None if object_id is None else await find_object(info, object_id)

    @fields.field(description="Where its bytes are; signed only when selected.")
    def get_urls(
        self,
        info: Info,
        filter: GetUrlFilter | None = None,  # noqa: A002 - the schema's word
    ) -> list[GetUrl]:
        """Spec 8.2, `GET /objects/{objectId}`."""
        return shown_urls(info, self.record.instances, filter)

    @fields.field(description="Where its bytes are, without URLs of storage backends.")
    def instances(self, info: Info) -> list[ObjectInstance]:
        """For housekeeping."""
        return [_instance(info, instance) for instance in self.record.instances]

    @fields.field(
        description="Copies to further storage backends that are being made, or ended today;"
        " oldest first. A copy is among `instances` once it is done."
    )
    async def copies(self, info: Info) -> list[ObjectCopy]:
        """Through the dataloader."""
        copies = await copy_resolvers.object_copies(info.context.tams, self.record)
        return [_copy(info, copy) for copy in copies]

    @fields.field(description="The Flows whose segments use it, by id.")
    async def referenced_by_flows(
        self,
        info: Info,
        *,
        tags: list[tagging.TagFilterInput] | None = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        reverse: Reverse = False,
    ) -> Connection[LazyFlow]:
        """One read for the ids, one for the Flows."""
        from tams_graphql.graphql.flows import flow_of  # noqa: PLC0415 - the nouns know each other

        ctx, filters = info.context.tams, tagging.tag_filters(tags, "tags")
        at = relay.cut(first, after, last, before, reverse=reverse)
        page = await resolvers.object_flows(ctx, self.object_id, at.request, filters)
        flows = await asyncio.gather(*(flow_resolvers.get_flow(ctx, one) for one in page.items))
        by_id = {flow.id: flow for flow in flows}
        return relay.connection(
            page,
            at,
            lambda flow_id: flow_of(by_id[flow_id]),
            lambda: _count_flows(ctx, self.object_id, filters),
        )


async def _count_flows(ctx: Context, object_id: str, tags: tuple[TagFilter, ...]) -> int:
    total, after = 0, None
    while True:
        request = PageRequest(limit=relay.SEGMENTS.most, after=after)
        page = await resolvers.object_flows(ctx, object_id, request, tags)
        total, after = total + len(page.items), page.next_cursor
        if after is None:
            return total


def _instance(info: Info, instance: records.Instance) -> ObjectInstance:
    backend = None if instance.storage_id is None else find_backend(info, instance.storage_id)
    return ObjectInstance(
        label=instance.label if backend is None else backend.label,
        controlled=instance.controlled,
        url=None if instance.url is None else URL(instance.url),
        storage_backend=backend,
    )


def _copy(info: Info, copy: records.ObjectCopy) -> ObjectCopy:
    return ObjectCopy(
        storage_backend=find_backend(info, copy.storage_id),
        state=CopyState(copy.state),
        bytes_done=Int64(copy.bytes_done),
        bytes_total=Int64(copy.bytes_total),
        error=copy.error,
        created=DateTime(copy.created_us),
        updated=DateTime(copy.updated_us),
    )


def object_of(record: records.MediaObject) -> MediaObject:
    """A stored object as GraphQL shows it."""
    return MediaObject(
        id=relay.global_id("MediaObject", record.id),
        object_id=record.id,
        role=ObjectRole(record.role),
        timerange=None if record.timerange is None else timeline_range(record.timerange),
        key_frame_count=record.key_frame_count,
        content_type=None if record.content_type is None else MimeType(record.content_type),
        created=DateTime(record.created_us),
        record=record,
    )


async def find_object(info: Info, object_id: str) -> MediaObject | None:
    """A registered object, or ``None`` if there is none."""
    return await shown_or_null(resolvers.get_object(info.context.tams, object_id), object_of)


@strawberry.type
class ObjectQueries:
    """The root fields about objects."""

    @fields.field(description="One registered Media Object, or null.")
    async def object(self, info: Info, object_id: str) -> MediaObject | None:
        """By TAMS id."""
        return await find_object(info, object_id)


@strawberry.input(description="Either `storageId`, to copy the bytes there, or `url` and `label`.")
class AddObjectInstanceInput(MutationInput):
    """Spec 8.2, `objects-instances-post.json`."""

    object_id: str
    storage_id: UUID | None = strawberry.field(
        default=None,
        description="The storage backend to copy the bytes to, from another one: nothing is fetched"
        " from URLs outside this service.",
    )
    url: URL | None = strawberry.field(
        default=None, description="Where the same bytes are, outside this service."
    )
    label: str | None = strawberry.field(default=None, description="What clients choose `url` by.")


@strawberry.input(description="Either `storageId` or `label` names the instance.")
class RemoveObjectInstanceInput(MutationInput):
    """Spec 8.2, `DELETE /objects/{objectId}/instances`."""

    object_id: str
    storage_id: UUID | None = None
    label: str | None = None


@strawberry.type
class ObjectInstancePayload(MutationPayload):
    """The object as it is now."""

    object: MediaObject | None = None


@strawberry.type
class ObjectMutations:
    """What changes objects."""

    @fields.mutation(description="Advertise an object's bytes at one more place.")
    async def add_object_instance(
        self,
        info: Info,
        input: AddObjectInstanceInput,  # noqa: A002 - Relay's word
    ) -> ObjectInstancePayload:
        """Spec 8.2, `POST /objects/{objectId}/instances`."""
        return await answered(ObjectInstancePayload, input, _added(info, input))

    @fields.mutation(description="Stop advertising an object's bytes at one place.")
    async def remove_object_instance(
        self,
        info: Info,
        input: RemoveObjectInstanceInput,  # noqa: A002 - Relay's word
    ) -> ObjectInstancePayload:
        """Bytes in a storage backend are deleted."""
        return await answered(ObjectInstancePayload, input, _removed(info, input))


async def _added(info: Info, given: AddObjectInstanceInput) -> Mapping[str, Any]:
    ctx = info.context.tams
    if given.storage_id is not None and given.url is None and given.label is None:
        copied = await copy_resolvers.copy_instance(ctx, given.object_id, given.storage_id)
        return {"object": object_of(copied)}
    if given.storage_id is None and given.url is not None and given.label is not None:
        added = await resolvers.add_uncontrolled_instance(
            ctx, given.object_id, given.url, given.label
        )
        return {"object": object_of(added)}
    raise InvalidInput(
        "storage_id", "instance.kind", "give either storageId, or both url and label"
    )


async def _removed(info: Info, given: RemoveObjectInstanceInput) -> Mapping[str, Any]:
    if (given.storage_id is None) == (given.label is None):
        raise InvalidInput("storage_id", "instance.kind", "give either storageId or label")
    changed = await resolvers.remove_instance(
        info.context.tams, given.object_id, storage_id=given.storage_id, label=given.label
    )
    return {"object": object_of(changed)}
