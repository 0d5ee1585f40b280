"""``/flows/{flowId}/storage``: where to put the bytes of new objects."""

from starlette.responses import Response

from rest_compat.encoding import json_response
from rest_compat.resources import Body, Call, Operation, Resource, Told
from rest_compat.schemas import ref
from rest_compat.shapes import Json, present
from rest_compat.version_rules import taken_storage
from tams_graphql.model.errors import InvalidInput
from tams_graphql.resolvers.storage import AllocatedObject, allocate_storage, upload_request


def _allocated(call: Call, allocated: AllocatedObject) -> Json:
    upload = upload_request(call.ctx, allocated)
    put_url: Json = {"url": upload.url, "content-type": upload.content_type}
    if upload.headers:
        put_url["headers"] = upload.headers
    members = {"object_id": allocated.object_id, "put_url": put_url, "presigned": True}
    return present(members, call.version.unknown["storage_answer"])


async def post(call: Call) -> Response:
    """Allocate storage for new objects."""
    if not isinstance(call.body, dict):
        raise InvalidInput("body", "type", "must be a JSON object")
    body = taken_storage(call.version, call.body)
    allocated = await allocate_storage(call.ctx, call.path["flowId"], body)
    return json_response({"media_objects": [_allocated(call, one) for one in allocated]}, 201)


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
