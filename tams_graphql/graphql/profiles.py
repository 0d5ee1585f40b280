"""Profiles."""

import uuid
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

import strawberry

from tams_graphql.graphql import connections as relay
from tams_graphql.graphql import essence, fields
from tams_graphql.graphql import tags as tagging
from tams_graphql.graphql.connections import After, Before, Connection, First, Last, Node, Reverse
from tams_graphql.graphql.context import Info
from tams_graphql.graphql.errors import CreationInput, MutationPayload, answered, shown_or_null
from tams_graphql.graphql.essence_inputs import (
    ContainerMappingInput,
    EssenceInput,
    RationalInput,
    essence_json,
)
from tams_graphql.graphql.json_shapes import read_json, write_json
from tams_graphql.graphql.scalars import UUID, DateTime, MimeType
from tams_graphql.model import records
from tams_graphql.model.vocabulary import ContentFormat
from tams_graphql.resolvers import profiles as resolvers
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.filters import ProfileFilter
from tams_graphql.resolvers.idempotency import once

ProfileEssence: TypeAlias = Annotated[
    essence.VideoEssenceParameters
    | essence.AudioEssenceParameters
    | essence.ImageEssenceParameters
    | essence.DataEssenceParameters,
    strawberry.union("ProfileEssence", description="The technical parameters, by format."),
]
_ESSENCES: Mapping[ContentFormat, type[Any]] = {
    ContentFormat.VIDEO: essence.VideoEssenceParameters,
    ContentFormat.AUDIO: essence.AudioEssenceParameters,
    ContentFormat.IMAGE: essence.ImageEssenceParameters,
    ContentFormat.DATA: essence.DataEssenceParameters,
}


@strawberry.input(name="ProfileFilter", description="An AND of what is given.")
class ProfileFilterInput:
    """Spec 8.2, `GET /service/profiles`."""

    format: ContentFormat | None = None
    codec: MimeType | None = None
    label: str | None = None


@strawberry.type(description="Technical metadata that Flows take over; it never changes.")
class Profile(Node):
    """Spec 8.2, `profile.json`."""

    profile_id: UUID
    format: ContentFormat
    label: str | None
    description: str | None
    codec: MimeType
    container: MimeType | None
    avg_bit_rate: int | None = strawberry.field(description="In 1000 bits per second.")
    segment_duration: essence.Rational | None = strawberry.field(
        description="Target duration of a segment, in seconds."
    )
    container_mapping: essence.ContainerMapping | None
    essence_parameters: ProfileEssence
    created_by: str | None
    created: DateTime
    record: strawberry.Private[records.Profile]

    @fields.field(description="By name; Flows do not take them over.")
    def tags(self) -> list[tagging.Tag]:
        """All of them."""
        return tagging.shown_tags(self.record.tags)

    @strawberry.field
    def tag(self, name: str) -> tagging.Tag | None:
        """One of them."""
        return tagging.shown_tag(self.record.tags, name)


def profile_of(record: records.Profile) -> Profile:
    """A stored Profile as GraphQL shows it."""
    technical = record.flow_metadata
    return Profile(
        id=relay.global_id("Profile", record.id),
        profile_id=UUID(record.id),
        format=record.format,
        label=record.label,
        description=record.description,
        codec=technical["codec"],
        container=technical.get("container"),
        avg_bit_rate=technical.get("avg_bit_rate"),
        segment_duration=read_json(essence.Rational, technical.get("segment_duration")),
        container_mapping=read_json(essence.ContainerMapping, technical.get("container_mapping")),
        essence_parameters=_essence(record),
        created_by=record.created_by,
        created=DateTime(record.created_us),
        record=record,
    )


def _essence(record: records.Profile) -> Any:
    return read_json(_ESSENCES[record.format], record.flow_metadata["essence_parameters"])


async def find_profile(info: Info, profile_id: str) -> Profile | None:
    """A Profile, or ``None`` if there is none."""
    return await shown_or_null(resolvers.get_profile(info.context.tams, profile_id), profile_of)


@strawberry.type
class ProfileQueries:
    """The root fields about Profiles."""

    @fields.field(description="One Profile, or null.")
    async def profile(self, info: Info, profile_id: UUID) -> Profile | None:
        """By TAMS id."""
        return await find_profile(info, profile_id)

    @fields.field(description="Profiles, by label.")
    async def profiles(
        self,
        info: Info,
        *,
        filter: ProfileFilterInput | None = None,  # noqa: A002 - the schema's word
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        reverse: Reverse = False,
    ) -> Connection[Profile]:
        """Spec 8.2, `GET /service/profiles`."""
        ctx, filters = info.context.tams, _filters(filter)
        at = relay.cut(first, after, last, before, reverse=reverse)
        page = await resolvers.list_profiles(ctx, filters, at.request)
        return relay.connection(
            page, at, profile_of, lambda: resolvers.count_profiles(ctx, filters)
        )


def _filters(given: ProfileFilterInput | None) -> ProfileFilter:
    if given is None:
        return ProfileFilter()
    return ProfileFilter(format=given.format, codec=given.codec, label=given.label)


@strawberry.input(description="A new Profile; it can't be changed afterwards.")
class CreateProfileInput(CreationInput):
    """Spec 8.2, `profile.json`."""

    profile_id: UUID | None = strawberry.field(
        default=None, description="Default: a new id made by the server."
    )
    label: str | None = None
    description: str | None = None
    created_by: str | None = None
    essence: EssenceInput = strawberry.field(
        description="The technical parameters; `multi` is no format of a Profile."
    )
    codec: MimeType
    container: MimeType | None = None
    avg_bit_rate: int | None = strawberry.field(
        default=None, description="In 1000 bits per second."
    )
    segment_duration: RationalInput | None = strawberry.field(
        default=None, description="Target duration of a segment, in seconds."
    )
    container_mapping: ContainerMappingInput | None = None
    tags: list[tagging.TagInput] | None = None


@strawberry.type
class CreateProfilePayload(MutationPayload):
    """The new Profile."""

    profile: Profile | None = None


@strawberry.type
class ProfileMutations:
    """What makes Profiles."""

    @fields.mutation(description="Create a Profile: technical metadata for Flows to take over.")
    async def create_profile(
        self,
        info: Info,
        input: CreateProfileInput,  # noqa: A002 - Relay's word
    ) -> CreateProfilePayload:
        """Spec 8.2, `POST /service/profiles/{profileId}`."""
        return await answered(CreateProfilePayload, input, _created(info, input))


async def _created(info: Info, given: CreateProfileInput) -> Mapping[str, Any]:
    ctx = info.context.tams

    async def create(ctx: Context) -> records.Profile:
        body = _profile_json(given)
        return await resolvers.create_profile(ctx, body["id"], body)

    key, request = given.idempotency_key, write_json(given)
    saved = await once(
        ctx, "createProfile", key, request, create, encode=lambda done: {"profile_id": done.id}
    )
    return {"profile": profile_of(await resolvers.get_profile(ctx, saved["profile_id"]))}


_COMMON = ("label", "description", "created_by")
_TECHNICAL = ("codec", "container", "avg_bit_rate", "segment_duration", "container_mapping")


def _profile_json(given: CreateProfileInput) -> dict[str, Any]:
    """The input as the spec's `profile.json`; an id that is left out is made."""
    written = write_json(given)
    body = {name: written[name] for name in _COMMON if name in written}
    body["id"] = given.profile_id or str(uuid.uuid4())
    if given.tags is not None:
        body["tags"] = tagging.tags_json(given.tags)
    technical = {name: written[name] for name in _TECHNICAL if name in written}
    return body | {"flow_metadata": technical | essence_json(given.essence)}
