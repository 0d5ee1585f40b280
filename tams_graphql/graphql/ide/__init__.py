"""GraphiQL, and a page that shows a live Flow: they work in a house without a network.

`assets/` holds unmodified builds (see its VENDORED.md); all files beside it are ours.
Every file is served under a name that holds its version or digest, and may be kept for ever.
"""

import hashlib
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter
from starlette.responses import Response

_FOLDER = files(__package__)
_OURS = ("page.css", "page.js", "examples.js", "follow.js", "live.css", "live.js")
_TYPES = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}
_FOR_EVER = "public, max-age=31536000, immutable"

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        # The hash is that of the one style sheet that GraphiQL's dialogs bring along.
        "style-src 'self' 'sha256-nzTgYzXYDNe6BAHiiI7NNlfK8n/auuOAhh2t92YvuXo='",
        "font-src 'self' data:",
        "img-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


def ide_page() -> Response:
    """GraphiQL; its links are relative, so that it works behind any path prefix."""
    return _page("page.html")


def live_page() -> Response:
    """A live Flow that grows, through a subscription."""
    return _page("live.html")


def _page(name: str) -> Response:
    page = (_FOLDER / name).read_text(encoding="utf-8")
    for ours in _OURS:
        page = page.replace(f"@{ours}@", _digested(ours))
    return Response(
        page.replace("@assets@", "graphql/assets"),
        media_type="text/html",
        headers={
            "content-security-policy": CONTENT_SECURITY_POLICY,
            "cache-control": "no-cache",
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "vary": "accept",
        },
    )


def add_ide_assets(router: APIRouter, path: str) -> None:
    """Serve the files that the page loads, and no others."""
    served = _served()

    @router.get(f"{path}/{{name}}", include_in_schema=False)
    async def asset(name: str) -> Response:
        if name not in served:
            return Response(status_code=404)
        return Response(
            served[name].read_bytes(),
            media_type=_TYPES[name.rpartition(".")[2]],
            headers={"cache-control": _FOR_EVER, "x-content-type-options": "nosniff"},
        )


@cache
def _served() -> dict[str, Traversable]:
    vendored = {
        file.name: file
        for file in (_FOLDER / "assets").iterdir()
        if file.name.rpartition(".")[2] in _TYPES
    }
    return vendored | {_digested(name): _FOLDER / name for name in _OURS}


@cache
def _digested(name: str) -> str:
    digest = hashlib.sha256((_FOLDER / name).read_bytes()).hexdigest()[:12]
    stem, _, kind = name.rpartition(".")
    return f"{stem}-{digest}.{kind}"
