"""The service itself."""

import strawberry

from tams_graphql.graphql import fields
from tams_graphql.graphql.context import Info
from tams_graphql.graphql.scalars import Timestamp
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
    def service(self, info: Info) -> Service:
        """Spec 8.2, `GET /service`."""
        told = resolvers.service_info(info.context.tams)
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
