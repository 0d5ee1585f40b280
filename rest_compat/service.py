"""``/``, ``/service`` and its storage backends."""

from starlette.responses import Response

from rest_compat import shapes
from rest_compat.encoding import json_response
from rest_compat.paging import listing_headers, page_request
from rest_compat.parameters import PAGING, REVERSE_ORDER, TagParameter
from rest_compat.resources import LISTING_HEADERS, Body, Call, Operation, Resource, Told
from rest_compat.schemas import array, ref
from tams_graphql.model.service_input import service_changes
from tams_graphql.resolvers.service import list_storage_backends, service_info, update_service

ENTRY_POINTS = ("service", "flows", "sources", "flow-delete-requests")
TAGS = TagParameter("tag", "Storage backends")


async def get_root(call: Call) -> Response:
    """The paths to start from."""
    del call
    return json_response(ENTRY_POINTS)


async def get_service(call: Call) -> Response:
    """What the service tells about itself."""
    return json_response(shapes.service(await service_info(call.ctx), call.version))


async def post_service(call: Call) -> Response:
    """Change what the service is called."""
    await update_service(call.ctx, service_changes(call.body))
    return json_response(None)


async def get_storage_backends(call: Call) -> Response:
    """The storage backends, by label."""
    page = page_request(call)
    found = list_storage_backends(call.ctx, page, call.query[TAGS])
    headers = listing_headers(call, page, found.next_cursor, len(found.items))
    backends = [shapes.storage_backend(backend, call.version) for backend in found.items]
    return json_response(backends, headers=headers)


RESOURCES = (
    Resource(
        "/",
        {
            "GET": Operation(
                handler=get_root,
                summary="The paths to start from",
                answers={200: Told("Names of paths.", array({"type": "string"}))},
            )
        },
    ),
    Resource(
        "/service",
        {
            "GET": Operation(
                handler=get_service,
                summary="What this service is",
                answers={200: Told("The service.", ref("service"))},
            ),
            "POST": Operation(
                handler=post_service,
                summary="Change the name and the description of the service",
                description="What is left out stays. Both come before the operator's settings,"
                " and hold for every process that serves this store.",
                body=Body(ref("service-post")),
                answers={200: Told("Changed.")},
            ),
        },
    ),
    Resource(
        "/service/storage-backends",
        {
            "GET": Operation(
                handler=get_storage_backends,
                summary="Storage backends, by label",
                description="Those without a label come after the others, by id.",
                parameters=(TAGS, REVERSE_ORDER, *PAGING),
                answers={200: Told("A page.", array(ref("storage-backend")), LISTING_HEADERS)},
            )
        },
    ),
)
