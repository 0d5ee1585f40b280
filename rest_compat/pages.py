"""``/openapi.json`` and two readers of it, ``/docs`` and ``/redoc``, all served from here.

The pages need no network beyond this server, and their policy forbids them any.
"""

from functools import cache
from importlib import resources
from pathlib import PurePosixPath

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rest_compat.openapi import openapi_document

ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "swagger-start.js": "text/javascript",
    "favicon-32x32.png": "image/png",
    "redoc.standalone.js": "text/javascript",
    "redoc-start.js": "text/javascript",
}
# Both readers style their elements from scripts; Redoc searches in a worker made from a blob.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src blob:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SWAGGER = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>TAMS REST API</title>
<link rel="icon" href="docs/assets/favicon-32x32.png">
<link rel="stylesheet" href="docs/assets/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/assets/swagger-ui-bundle.js"></script>
<script src="docs/assets/swagger-start.js"></script>
</body>
</html>
"""
_REDOC = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>TAMS REST API</title>
<link rel="icon" href="docs/assets/favicon-32x32.png">
</head>
<body>
<div id="redoc"></div>
<script src="docs/assets/redoc.standalone.js"></script>
<script src="docs/assets/redoc-start.js"></script>
</body>
</html>
"""


def docs_routes() -> list[Route]:
    """The routes of the contract and its readers; GET with HEAD."""
    return [
        Route("/openapi.json", _contract, include_in_schema=False),
        Route("/docs", _swagger, include_in_schema=False),
        Route("/redoc", _redoc, include_in_schema=False),
        Route("/docs/assets/{name}", _asset, include_in_schema=False),
    ]


def _answer(request: Request, content: bytes, media_type: str, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = Response(
        content, headers={"X-Content-Type-Options": "nosniff", **named}, media_type=media_type
    )
    if request.method == "HEAD":
        response.body = b""
    return response


@cache
def _contract_json() -> bytes:
    return orjson.dumps(openapi_document())


async def _contract(request: Request) -> Response:
    return _answer(request, _contract_json(), "application/json")


def _page(request: Request, html: str) -> Response:
    return _answer(
        request,
        html.encode(),
        "text/html",
        content_security_policy=POLICY,
        referrer_policy="no-referrer",
    )


async def _swagger(request: Request) -> Response:
    return _page(request, _SWAGGER)


async def _redoc(request: Request) -> Response:
    return _page(request, _REDOC)


@cache
def _content(name: str) -> bytes:
    return resources.files("rest_compat").joinpath("assets", name).read_bytes()


async def _asset(request: Request) -> Response:
    # Only names of the list are ever opened, so no path can lead elsewhere.
    name = PurePosixPath(request.path_params["name"]).name
    if name != request.path_params["name"] or name not in ASSETS:
        raise HTTPException(404)
    return _answer(request, _content(name), ASSETS[name], cache_control="public, max-age=86400")
