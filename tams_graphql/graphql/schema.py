"""The executable schema: every noun's root fields put together."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import lru_cache
from typing import Any

import strawberry
from graphql import GraphQLError, Undefined
from strawberry.schema.config import StrawberryConfig
from strawberry.types.execution import PreExecutionError

from tams_graphql.graphql import (
    deletions,
    events,
    fields,
    flows,
    objects,
    profiles,
    segments,
    sources,
    storage,
    webhook_deliveries,
    webhooks,
)
from tams_graphql.graphql.columnar import ColumnarExecutor, DiscreetExecutor
from tams_graphql.graphql.connections import Node, parse_global_id
from tams_graphql.graphql.context import Info
from tams_graphql.graphql.errors import TypedErrors
from tams_graphql.graphql.flow_changes import FlowMutations
from tams_graphql.graphql.limits import DEFAULT_LIMITS, Limits, Prepared
from tams_graphql.graphql.scalars import SCALARS
from tams_graphql.graphql.segment_changes import SegmentMutations
from tams_graphql.graphql.service import ServiceMutations, ServiceQueries
from tams_graphql.graphql.source_changes import SourceMutations
from tams_graphql.graphql.webhook_changes import WebhookMutations
from tams_graphql.model.errors import InvalidInput

_NODES_LIMIT = 100


@strawberry.type(description="Everything that can be read.")
class Query(
    sources.SourceQueries,
    flows.FlowQueries,
    profiles.ProfileQueries,
    objects.ObjectQueries,
    ServiceQueries,
    storage.StorageQueries,
    deletions.DeletionQueries,
    webhooks.WebhookQueries,
    events.EventQueries,
):
    """The root of queries."""

    @fields.field(description="Anything by its global id, or null.")
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:  # noqa: A002 - Relay's
        """Relay's refetching."""
        return await _find_node(info, id)

    @fields.field(description="At most 100 nodes, in the order of `ids`; null where is none.")
    async def nodes(self, info: Info, ids: list[strawberry.ID]) -> list[Node | None]:
        """Relay's refetching, batched."""
        if len(ids) > _NODES_LIMIT:
            raise InvalidInput("ids", "too_many", f"at most {_NODES_LIMIT} ids")
        return list(await asyncio.gather(*(_find_node(info, one) for one in ids)))


async def _find_node(info: Info, text: str) -> Node | None:
    kind, rest = parse_global_id(text)
    if kind == "StorageBackend":
        return storage.find_backend(info, rest)
    finders = {
        "Source": sources.find_source,
        "Flow": flows.find_flow,
        "Profile": profiles.find_profile,
        "MediaObject": objects.find_object,
        "FlowSegment": segments.find_segment,
        "DeletionRequest": deletions.find_deletion_request,
        "Webhook": webhooks.find_webhook,
        "WebhookDelivery": webhook_deliveries.find_delivery,
    }
    if kind not in finders:
        raise InvalidInput("id", "id.malformed", "not an id of this service")
    node: Node | None = await finders[kind](info, rest)
    return node


@strawberry.type(description="Everything that can be changed.")
class Mutation(
    SourceMutations,
    FlowMutations,
    profiles.ProfileMutations,
    SegmentMutations,
    storage.StorageMutations,
    objects.ObjectMutations,
    ServiceMutations,
    WebhookMutations,
    webhook_deliveries.DeliveryMutations,
):
    """The root of mutations; what is refused is told in the payload's `errors`."""


class MediaStoreSchema(strawberry.Schema):
    """The schema; it logs what it masks (`errors.typed`) and nothing else."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for kind in self._schema.type_map.values():
            for field in getattr(kind, "fields", {}).values():
                for given in (field, *getattr(field, "args", {}).values()):
                    # An optional argument needs no default; "= null" on each is noise to readers.
                    if getattr(given, "default_value", Undefined) is None:
                        given.default_value = Undefined

    async def stream(self, query: str | None, **options: Any) -> AsyncGenerator[Any, None]:  # type: ignore[override]
        """Run an operation of any kind, for clients that get results as they come."""
        return _with_refusals(await super().stream(query, **options))

    def process_errors(self, errors: object, execution_context: object = None) -> None:
        """Domain refusals are no incidents."""


async def _with_refusals(results: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
    """`results`, where a document that is refused while it is parsed is one, too."""
    async with aclosing(results):
        try:
            async for result in results:
                yield result
        except GraphQLError as error:
            yield PreExecutionError(data=None, errors=[error])


@lru_cache(maxsize=4)
def make_schema(
    limits: Limits = DEFAULT_LIMITS, *, introspection: bool = True, columnar: bool = True
) -> MediaStoreSchema:
    """A schema with its own limits; built once for equal arguments.

    Args:
        limits: what one operation may ask for.
        introspection: whether clients may ask for the schema, and get suggestions from it.
        columnar: whether lists of columns are completed as such; off only to compare.
    """
    return MediaStoreSchema(
        query=Query,
        mutation=Mutation,
        subscription=events.Subscription,
        types=[kind for kind, _ in flows.FLOW_TYPES.values()],
        extensions=[TypedErrors, lambda: Prepared(limits, introspection=introspection)],
        execution_context_class=_executor(introspection=introspection, columnar=columnar),
        config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=not introspection),
    )


def _executor(*, introspection: bool, columnar: bool) -> type[ColumnarExecutor] | None:
    if not columnar:
        return None
    return ColumnarExecutor if introspection else DiscreetExecutor


schema = make_schema()
