"""Mutations of Flows."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import strawberry

from tams_graphql.graphql import fields
from tams_graphql.graphql import tags as tagging
from tams_graphql.graphql.context import Info
from tams_graphql.graphql.deletions import DeletionRequest, going_on
from tams_graphql.graphql.errors import CreationInput, MutationInput, MutationPayload, answered
from tams_graphql.graphql.essence_inputs import (
    ContainerMappingInput,
    EssenceInput,
    RationalInput,
    essence_json,
)
from tams_graphql.graphql.flows import Flow, flow_of
from tams_graphql.graphql.json_shapes import write_json
from tams_graphql.graphql.scalars import UUID, MimeType, Timestamp, storable
from tams_graphql.graphql.source_changes import tag_changes
from tams_graphql.model.errors import InvalidInput, NotFound
from tams_graphql.model.records import Flow as FlowRecord
from tams_graphql.model.vocabulary import FlowStatus
from tams_graphql.resolvers import flows as resolvers
from tams_graphql.resolvers import timeline
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.idempotency import once
from tams_graphql.timeline import TimeRange

_COLLECTION_LIMIT = 1000
_CLIP_LIMIT = 1000


@strawberry.input(description="A member of a collection.")
class FlowCollectionItemInput:
    """Spec 8.2, `flow-collection.json`."""

    flow_id: UUID
    role: str | None = None
    container_mapping: ContainerMappingInput | None = None


@strawberry.input
class FlowMetadataInput(CreationInput):
    """What a client tells about a Flow, whatever its segments come from."""

    flow_id: UUID | None = strawberry.field(
        default=None, description="Default: a new id made by the server."
    )
    source_id: UUID | None = strawberry.field(
        default=None,
        description="The Source that it represents, made if new. Default: a new id.",
    )
    essence: EssenceInput | None = strawberry.field(
        default=None,
        description="The technical parameters; required unless there is a `profileId`.",
    )
    profile_id: UUID | None = strawberry.field(
        default=strawberry.UNSET,
        description="The Profile that it is made from, which gives all of its technical metadata:"
        " no essence, codec, container, bit rate on average, segment duration or container"
        " mapping can be given beside it. Null, with all of these, ends the link; left out, a"
        " Flow whose technical metadata stays equal keeps its Profile.",
    )
    label: str | None = None
    description: str | None = None
    codec: MimeType | None = None
    container: MimeType | None = strawberry.field(
        default=None, description="Required before segments can be registered."
    )
    status: FlowStatus | None = None
    created_by: str | None = None
    updated_by: str | None = None
    metadata_version: str | None = None
    generation: int | None = None
    read_only: bool | None = None
    max_bit_rate: int | None = strawberry.field(
        default=None, description="In 1000 bits per second."
    )
    avg_bit_rate: int | None = strawberry.field(
        default=None, description="In 1000 bits per second."
    )
    segment_duration: RationalInput | None = strawberry.field(
        default=None, description="Target duration of a segment, in seconds."
    )
    container_mapping: ContainerMappingInput | None = None
    flow_collection: list[FlowCollectionItemInput] | None = strawberry.field(
        default=None, description="The Flows that it collects, at most 1,000."
    )
    tags: list[tagging.TagInput] | None = None


@strawberry.input(description="The whole metadata of a Flow: what is left out is removed.")
class PutFlowInput(FlowMetadataInput):
    """Spec 8.2, `flow-put.json`."""


@strawberry.type
class PutFlowPayload(MutationPayload):
    """The Flow as it is now."""

    flow: Flow | None = None
    created: bool = strawberry.field(
        default=False, description="Whether the Flow is new (as saved, for an idempotency key)."
    )


@strawberry.input(description="What is left out stays; null removes.")
class UpdateFlowInput(MutationInput):
    """Spec 8.2, `PUT /flows/{flowId}/label` and its like, in one."""

    flow_id: UUID
    label: str | None = strawberry.UNSET
    description: str | None = strawberry.UNSET
    read_only: bool | None = strawberry.UNSET
    max_bit_rate: int | None = strawberry.UNSET
    avg_bit_rate: int | None = strawberry.UNSET
    flow_collection: list[FlowCollectionItemInput] | None = strawberry.UNSET
    set_tags: list[tagging.TagInput] | None = strawberry.field(
        default=None, description="Tags to add or to change."
    )
    remove_tags: list[str] | None = strawberry.field(
        default=None, description="Names of tags to remove."
    )


@strawberry.type
class FlowPayload(MutationPayload):
    """The Flow as it is now."""

    flow: Flow | None = None


@strawberry.input
class DeleteFlowInput(MutationInput):
    """Which Flow."""

    flow_id: UUID


@strawberry.type
class DeleteFlowPayload(MutationPayload):
    """What is gone."""

    deleted_flow_id: UUID | None = None
    deletion_request: DeletionRequest | None = strawberry.field(
        default=None,
        description="If it had many segments: what is left to do. The Flow is gone already.",
    )


@strawberry.input(description="A piece of a Flow to use again.")
class ClipInput:
    """On that Flow's timeline; with both ends."""

    flow_id: UUID
    timerange: TimeRange


@strawberry.input(description="A new Flow made of pieces of others, without copying bytes.")
class ComposeFlowInput(FlowMetadataInput):
    """Spec 8.2, re-use of Media Objects."""

    clips: list[ClipInput] = strawberry.field(
        description="At most 1,000, played one after the other."
    )
    start: Timestamp = strawberry.field(
        default=Timestamp(0), description="Where on the new Flow's timeline the first one begins."
    )


@strawberry.type
class FlowMutations:
    """What changes Flows."""

    @fields.mutation(description="Create a Flow, or replace its metadata as a whole.")
    async def put_flow(
        self,
        info: Info,
        input: PutFlowInput,  # noqa: A002 - Relay's word
    ) -> PutFlowPayload:
        """Spec 8.2, `PUT /flows/{flowId}`."""
        return await answered(PutFlowPayload, input, _put(info, input))

    @fields.mutation(description="Change some of a Flow's properties, all or none.")
    async def update_flow(
        self,
        info: Info,
        input: UpdateFlowInput,  # noqa: A002 - Relay's word
    ) -> FlowPayload:
        """In one transaction."""
        return await answered(FlowPayload, input, _updated(info, input))

    @fields.mutation(
        description="Delete a Flow and its segments, and the objects that nothing uses any more."
    )
    async def delete_flow(
        self,
        info: Info,
        input: DeleteFlowInput,  # noqa: A002 - Relay's word
    ) -> DeleteFlowPayload:
        """Spec 8.2, `DELETE /flows/{flowId}`."""
        return await answered(DeleteFlowPayload, input, _deleted(info, input))

    @fields.mutation(description="Make a new Flow of pieces of others, without copying bytes.")
    async def compose_flow(
        self,
        info: Info,
        input: ComposeFlowInput,  # noqa: A002 - Relay's word
    ) -> FlowPayload:
        """By reference, with `ts_offset` computed."""
        return await answered(FlowPayload, input, _composed(info, input))


async def _put(info: Info, given: PutFlowInput) -> Mapping[str, Any]:
    ctx = info.context.tams

    async def put(ctx: Context) -> resolvers.PutFlow:
        body = flow_json(given)
        return await resolvers.put_flow(ctx, body["id"], body)

    def saved_as(done: resolvers.PutFlow) -> dict[str, Any]:
        return {"flow_id": done.flow.id, "created": done.created}

    key, request = given.idempotency_key, _request(given)
    saved = await once(ctx, "putFlow", key, request, put, encode=saved_as)
    flow = await resolvers.get_flow(ctx, saved["flow_id"])
    return {"flow": flow_of(flow), "created": saved["created"]}


async def _updated(info: Info, given: UpdateFlowInput) -> Mapping[str, Any]:
    names = ("label", "description", "read_only", "max_bit_rate", "avg_bit_rate")
    properties = {name: getattr(given, name) for name in names}
    properties["flow_collection"] = _collection_json(given.flow_collection)
    changed = {name: part for name, part in properties.items() if part is not strawberry.UNSET}
    tags = tag_changes(given.set_tags, given.remove_tags)
    flow = await resolvers.update_flow(info.context.tams, given.flow_id, changed, tags)
    return {"flow": flow_of(flow)}


async def _deleted(info: Info, given: DeleteFlowInput) -> Mapping[str, Any]:
    request = await resolvers.delete_flow(info.context.tams, given.flow_id)
    return {"deleted_flow_id": given.flow_id, "deletion_request": going_on(request)}


async def _composed(info: Info, given: ComposeFlowInput) -> Mapping[str, Any]:
    ctx = info.context.tams
    if len(given.clips) > _CLIP_LIMIT:
        raise InvalidInput("clips", "too_many", f"at most {_CLIP_LIMIT} clips")

    async def compose(ctx: Context) -> FlowRecord:
        body = flow_json(given)
        clips = [
            timeline.Clip(clip.flow_id, storable(f"clips.{index}.timerange", clip.timerange))
            for index, clip in enumerate(given.clips)
        ]
        try:
            return await timeline.compose_flow(ctx, body["id"], body, clips, given.start)
        except NotFound as missing:
            _place(missing, given.clips)
            raise

    key, request = given.idempotency_key, _request(given)
    saved = await once(
        ctx, "composeFlow", key, request, compose, encode=lambda flow: {"flow_id": flow.id}
    )
    return {"flow": flow_of(await resolvers.get_flow(ctx, saved["flow_id"]))}


def _place(missing: NotFound, clips: Sequence[ClipInput]) -> None:
    """Name the first of `clips` that is missing."""
    for index, clip in enumerate(clips):
        if missing.kind == "flow" and missing.identifier == clip.flow_id:
            place = f"clips.{index}.flow_id"
            missing.problems = tuple(replace(one, field=place) for one in missing.problems)
            break


_OF_ITS_OWN = (
    "client_mutation_id", "idempotency_key", "flow_id", "source_id", "essence", "tags",
    "flow_collection", "clips", "start",
)  # fmt: skip


def flow_json(given: FlowMetadataInput) -> dict[str, Any]:
    """The input as the spec's `flow-put.json`; ids that are left out are made.

    Raises:
        InvalidInput: two tags of one name, too many members of the collection, or neither an
            essence nor a profile.
    """
    body = {name: part for name, part in write_json(given).items() if name not in _OF_ITS_OWN}
    body["id"] = given.flow_id or str(uuid.uuid4())
    body["source_id"] = given.source_id or str(uuid.uuid4())
    if given.tags is not None:
        body["tags"] = tagging.tags_json(given.tags)
    if given.flow_collection is not None:
        body["flow_collection"] = _collection_json(given.flow_collection)
    if given.profile_id is None:
        body["profile_id"] = ""
    if given.essence is not None:
        return body | essence_json(given.essence)
    if not given.profile_id:
        raise InvalidInput("essence", "required", "is required unless there is a profileId")
    return body


def _request(given: FlowMetadataInput) -> dict[str, Any]:
    """What an idempotency key stands for."""
    ends_link = {"profile_id": None} if given.profile_id is None else {}
    return {**write_json(given), **ends_link}


def _collection_json(items: list[FlowCollectionItemInput] | None) -> Any:
    if items is None or items is strawberry.UNSET:
        return items
    if len(items) > _COLLECTION_LIMIT:
        raise InvalidInput("flow_collection", "too_many", f"at most {_COLLECTION_LIMIT} members")
    written = [write_json(item) for item in items]
    return [{"id": item.pop("flow_id"), **item} for item in written]
