"""Mutations of Sources."""

from collections.abc import Mapping
from typing import Any

import strawberry

from tams_graphql.graphql import fields
from tams_graphql.graphql import tags as tagging
from tams_graphql.graphql.context import Info
from tams_graphql.graphql.errors import MutationInput, MutationPayload, answered
from tams_graphql.graphql.scalars import UUID
from tams_graphql.graphql.sources import Source, source_of
from tams_graphql.model.records import TagValue
from tams_graphql.resolvers import sources as resolvers


@strawberry.input(description="What is left out stays; null removes.")
class UpdateSourceInput(MutationInput):
    """Spec 8.2, `PUT /sources/{sourceId}/label` and its like, in one."""

    source_id: UUID
    label: str | None = strawberry.UNSET
    description: str | None = strawberry.UNSET
    set_tags: list[tagging.TagInput] | None = strawberry.field(
        default=None, description="Tags to add or to change."
    )
    remove_tags: list[str] | None = strawberry.field(
        default=None, description="Names of tags to remove."
    )


@strawberry.type
class UpdateSourcePayload(MutationPayload):
    """The Source as it is now."""

    source: Source | None = None


def tag_changes(
    changed: list[tagging.TagInput] | None, removed: list[str] | None
) -> dict[str, TagValue | None]:
    """Tags to set, and (``None``) to remove."""
    return {**dict.fromkeys(removed or ()), **tagging.tags_json(changed or ())}


@strawberry.type
class SourceMutations:
    """What changes Sources."""

    @fields.mutation(description="Change a Source's label, description and tags, as a whole.")
    async def update_source(
        self,
        info: Info,
        input: UpdateSourceInput,  # noqa: A002 - Relay's word
    ) -> UpdateSourcePayload:
        """All of it in one transaction."""
        return await answered(UpdateSourcePayload, input, _updated(info, input))


async def _updated(info: Info, given: UpdateSourceInput) -> Mapping[str, Any]:
    properties = {
        name: value
        for name, value in (("label", given.label), ("description", given.description))
        if value is not strawberry.UNSET
    }
    tags = tag_changes(given.set_tags, given.remove_tags)
    updated = await resolvers.update_source(info.context.tams, given.source_id, properties, tags)
    return {"source": source_of(updated)}
