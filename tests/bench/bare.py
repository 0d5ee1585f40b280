"""The floor: a route that knows nothing of TAMS and sends the same columns from the same file."""

import os
import sqlite3

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_COLUMNS = ("object_id", "start_ns", "end_ns", "key_frame_count")
_QUERY = (
    f"SELECT {', '.join(_COLUMNS)} FROM flow_segments WHERE timeline_id ="
    " (SELECT timeline_id FROM flows WHERE flow_id = ?) ORDER BY start_ns LIMIT ?"
)


async def segments(request: Request) -> Response:
    """The first rows of a flow as a JSON list."""
    database: sqlite3.Connection = request.app.state.database
    parameters = (request.path_params["flow_id"], int(request.query_params["limit"]))
    rows = database.execute(_QUERY, parameters).fetchall()
    body = orjson.dumps([dict(zip(_COLUMNS, row, strict=True)) for row in rows])
    return Response(body, media_type="application/json")


app = Starlette(routes=[Route("/{flow_id}", segments)])
app.state.database = sqlite3.connect(
    f"file:{os.environ['BARE_INDEX']}?mode=ro", uri=True, check_same_thread=False
)
