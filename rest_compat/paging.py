"""Pages over HTTP: the limit in force, and the headers that lead on."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from rest_compat.parameters import LIMIT, PAGE, REVERSE_ORDER
from rest_compat.resources import Call
from tams_graphql.resolvers.paging import PageRequest

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
UNPAGED = 2**31
"""The limit of a listing that came without pages in the request's version."""


def page_request(call: Call, most: int = MAX_LIMIT, *, ordered: bool = True) -> PageRequest:
    """The page that the query asks for; a limit beyond `most` is reduced to it.

    Args:
        call: the request.
        most: the largest limit.
        ordered: whether this listing takes ``reverse_order``.
    """
    if not call.query.knows(LIMIT):
        return PageRequest(limit=UNPAGED)
    limit = call.query[LIMIT]
    return PageRequest(
        limit=min(DEFAULT_LIMIT if limit is None else limit, most),
        after=call.query[PAGE],
        reverse=ordered and call.query[REVERSE_ORDER],
    )


def next_headers(call: Call, page: PageRequest, next_cursor: str | None) -> dict[str, str]:
    """``X-Paging-Limit``, and ``Link`` and ``X-Paging-NextKey`` unless this is the last page."""
    if page.limit == UNPAGED:
        return {}
    headers = {"X-Paging-Limit": str(page.limit)}
    if next_cursor is not None:
        headers["X-Paging-NextKey"] = next_cursor
        headers["Link"] = f'<{_next_url(call, next_cursor)}>; rel="next"'
    return headers


def listing_headers(
    call: Call, page: PageRequest, next_cursor: str | None, count: int
) -> dict[str, str]:
    """The headers of a listing (spec 8.2): `next_headers`, how many items, in which order."""
    return {
        **next_headers(call, page, next_cursor),
        "X-Paging-Count": str(count),
        "X-Paging-Reverse-Order": "true" if page.reverse else "false",
    }


def _next_url(call: Call, cursor: str) -> str:
    path = _fill(call.template, call.path)
    pairs = [(name, value) for name, value in call.query.pairs if name != PAGE.name]
    query = urlencode([*pairs, (PAGE.name, cursor)], quote_via=quote)
    return f"{call.public_url}{path}?{query}"


def _fill(template: str, values: Mapping[str, str]) -> str:
    return template.format(**{name: quote(value, safe="") for name, value in values.items()})
