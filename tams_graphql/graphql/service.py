"""The service itself."""

from collections.abc import Mapping
from typing import Any

import strawberry

from tams_graphql.graphql import fields
from tams_graphql.graphql.context import Info
from tams_graphql.graphql.errors import MutationInput, MutationPayload, answered
from tams_graphql.graphql.scalars import Timestamp
from tams_graphql.model import records
from tams_graphql.resolvers import service as resolvers
from tams_graphql.timeline import NANOSECONDS


@strawberry.type(description="A way to follow events.")
class EventStreamMechanism:
    """Spec 8.2, `event-stream-common.json`."""

    name: str
    docs: str | None


@strawberry.type(description="What this service tells about itself.")
class Service:
    """Spec 8.2, `service.json`."""

    name: str | None
    description: str | None
    type: str
    api_version: str = strawberry.field(description="Of the TAMS specification.")
    service_version: str = strawberry.field(description="Of this software.")
    min_object_timeout: Timestamp = strawberry.field(
        description="How long an allocated object may wait for its registration, at least."
    )
    min_presigned_url_timeout: Timestamp = strawberry.field(
        description="How long a presigned URL works, at least."
    )
    event_stream_mechanisms: list[EventStreamMechanism]


@strawberry.type
class ServiceQueries:
    """The root fields about the service."""

    @fields.field(description="What this service tells about itself.")
    async def service(self, info: Info) -> Service:
        """Spec 8.2, `GET /service`."""
        return _service_of(await resolvers.service_info(info.context.tams))


@strawberry.input(description="What is left out stays; null goes back to the operator's setting.")
class UpdateServiceInput(MutationInput):
    """Spec 8.2, `service-post.json`."""

    name: str | None = strawberry.UNSET
    description: str | None = strawberry.UNSET


@strawberry.type
class UpdateServicePayload(MutationPayload):
    """The service as it is now."""

    service: Service | None = None


@strawberry.type
class ServiceMutations:
    """What changes the service."""

    @fields.mutation(description="Change the name and the description of the service.")
    async def update_service(
        self,
        info: Info,
        input: UpdateServiceInput,  # noqa: A002 - Relay's word
    ) -> UpdateServicePayload:
        """Spec 8.2, `POST /service`."""
        return await answered(UpdateServicePayload, input, _updated(info, input))


async def _updated(info: Info, given: UpdateServiceInput) -> Mapping[str, Any]:
    values = {"name": given.name, "description": given.description}
    changes = {name: value for name, value in values.items() if value is not strawberry.UNSET}
    return {"service": _service_of(await resolvers.update_service(info.context.tams, changes))}


def _service_of(told: records.ServiceInfo) -> Service:
    return Service(
        name=told.name,
        description=told.description,
        type=told.type,
        api_version=told.api_version,
        service_version=told.service_version,
        min_object_timeout=Timestamp(told.min_object_timeout * NANOSECONDS),
        min_presigned_url_timeout=Timestamp(told.min_presigned_url_timeout * NANOSECONDS),
        event_stream_mechanisms=[
            EventStreamMechanism(name=one["name"], docs=one.get("docs"))
            for one in told.event_stream_mechanisms
        ],
    )
