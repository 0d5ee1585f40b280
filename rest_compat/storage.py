"""``/flows/{flowId}/storage``: where to put the bytes of new objects."""

from starlette.responses import Response

from rest_compat.encoding import json_response
from rest_compat.resources import Body, Call, Operation, Resource, Told
from rest_compat.schemas import ref
from rest_compat.shapes import Json
from tams_graphql.model.errors import InvalidInput
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.storage import AllocatedObject, allocate_storage, upload_request


def _allocated(ctx: Context, allocated: AllocatedObject) -> Json:
    upload = upload_request(ctx, allocated)
    put_url: Json = {"url": upload.url, "content-type": upload.content_type}
    if upload.headers:
        put_url["headers"] = upload.headers
    return {"object_id": allocated.object_id, "put_url": put_url, "presigned": True}


async def post(call: Call) -> Response:
    """Allocate storage for new objects."""
    if not isinstance(call.body, dict):
        raise InvalidInput("body", "type", "must be a JSON object")
    allocated = await allocate_storage(call.ctx, call.path["flowId"], call.body)
    return json_response({"media_objects": [_allocated(call.ctx, one) for one in allocated]}, 201)


RESOURCES = (
    Resource(
        "/flows/{flowId}/storage",
        {
            "POST": Operation(
                handler=post,
                summary="Allocate storage for new objects",
                description="PUT the bytes to each `put_url` with its `content-type`, then register"
                " segments.",
                body=Body(ref("flow-storage-post"), required=False),
                answers={201: Told("Where to put the bytes.", ref("flow-storage"))},
            )
        },
    ),
)
