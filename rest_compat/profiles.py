"""``/service/profiles`` and ``/service/profiles/{profileId}``."""

from starlette.responses import Response

from rest_compat import shapes
from rest_compat.encoding import json_response
from rest_compat.paging import next_headers, page_request
from rest_compat.parameters import PAGING, Parameter, mime_type, one_of, text
from rest_compat.resources import Body, Call, Operation, Resource, Told
from rest_compat.schemas import array, ref
from tams_graphql.model.errors import InvalidInput
from tams_graphql.model.vocabulary import ContentFormat
from tams_graphql.resolvers.filters import ProfileFilter
from tams_graphql.resolvers.profiles import create_profile, get_profile, list_profiles

FORMAT: Parameter[ContentFormat | None] = Parameter(
    "format", "Only this kind of content.", ref("content-format"), one_of(ContentFormat), None
)
CODEC: Parameter[str | None] = Parameter(
    "codec", "Only this codec.", ref("mime-type"), mime_type, None
)
LABEL: Parameter[str | None] = Parameter(
    "label", "Only those with this label.", {"type": "string"}, text, None
)


async def get_listing(call: Call) -> Response:
    """A page of Profiles."""
    page = page_request(call, ordered=False)
    query = call.query
    filters = ProfileFilter(format=query[FORMAT], codec=query[CODEC], label=query[LABEL])
    found = await list_profiles(call.ctx, filters, page)
    headers = next_headers(call, page, found.next_cursor)
    return json_response([shapes.profile(one) for one in found.items], headers=headers)


async def get_one(call: Call) -> Response:
    """One Profile."""
    return json_response(shapes.profile(await get_profile(call.ctx, call.path["profileId"])))


async def post_one(call: Call) -> Response:
    """Create a Profile."""
    if not isinstance(call.body, dict):
        raise InvalidInput("body", "type", "must be a JSON object")
    profile = await create_profile(call.ctx, call.path["profileId"], call.body)
    return json_response(shapes.profile(profile), 201)


RESOURCES = (
    Resource(
        "/service/profiles",
        {
            "GET": Operation(
                handler=get_listing,
                summary="Profiles, by label",
                description="Those without a label come after the others, by id.",
                parameters=(FORMAT, CODEC, LABEL, *PAGING),
                answers={
                    200: Told(
                        "A page.",
                        array(ref("profile")),
                        ("Link", "X-Paging-Limit", "X-Paging-NextKey"),
                    )
                },
            )
        },
    ),
    Resource(
        "/service/profiles/{profileId}",
        {
            "GET": Operation(
                handler=get_one,
                summary="One Profile",
                answers={200: Told("The Profile.", ref("profile"))},
            ),
            "POST": Operation(
                handler=post_one,
                summary="Create a Profile",
                description="Profiles never change: one that exists is refused, even if equal.",
                body=Body(ref("profile")),
                answers={201: Told("The new Profile.", ref("profile"))},
            ),
        },
    ),
)
