"""``/flow-delete-requests``, and what a DELETE answers that goes on afterwards."""

from starlette.responses import Response

from rest_compat.encoding import json_response, no_content
from rest_compat.paging import listing_headers, page_request
from rest_compat.parameters import PAGING, REVERSE_ORDER, Parameter, one_of
from rest_compat.resources import LISTING_HEADERS, Call, Operation, Resource, Told
from rest_compat.schemas import array, ref
from rest_compat.shapes import deletion_request
from tams_graphql.model.records import DeletionRequest
from tams_graphql.model.vocabulary import DeletionSort
from tams_graphql.resolvers.deletions import get_deletion_request, list_deletion_requests

SORT: Parameter[DeletionSort] = Parameter(
    "sort_by",
    "What to sort by, the latest first.",
    {"type": "string", "enum": list(DeletionSort), "default": DeletionSort.CREATED},
    one_of(DeletionSort),
    DeletionSort.CREATED,
)
ACCEPTED = Told(
    "Gone from sight, or going; `Location` leads to how far it is.",
    ref("deletion-request"),
    ("Location",),
)


def deleted(call: Call, request: DeletionRequest | None) -> Response:
    """204; or 202 with the request that goes on."""
    if request is None:
        return no_content()
    location = f"{call.public_url}/flow-delete-requests/{request.id}"
    return json_response(deletion_request(request), 202, {"Location": location})


async def get_listing(call: Call) -> Response:
    """A page of deletion requests."""
    page = page_request(call)
    found = await list_deletion_requests(call.ctx, call.query[SORT], page)
    headers = listing_headers(call, page, found.next_cursor, len(found.items))
    return json_response([deletion_request(one) for one in found.items], headers=headers)


async def get_one(call: Call) -> Response:
    """One deletion request."""
    request = await get_deletion_request(call.ctx, call.path["request-id"])
    return json_response(deletion_request(request))


RESOURCES = (
    Resource(
        "/flow-delete-requests",
        {
            "GET": Operation(
                handler=get_listing,
                summary="Deletions that go on, or ended lately; the latest first",
                parameters=(SORT, REVERSE_ORDER, *PAGING),
                answers={200: Told("A page.", array(ref("deletion-request")), LISTING_HEADERS)},
            )
        },
    ),
    Resource(
        "/flow-delete-requests/{request-id}",
        {
            "GET": Operation(
                handler=get_one,
                summary="How far a deletion is",
                answers={200: Told("The deletion request.", ref("deletion-request"))},
            )
        },
    ),
)
