"""``/sources`` and ``/sources/{sourceId}``."""

import asyncio

from starlette.responses import Response

from rest_compat import shapes
from rest_compat.encoding import json_response
from rest_compat.paging import listing_headers, page_request
from rest_compat.parameters import (
    PAGING,
    REVERSE_ORDER,
    Parameter,
    TagParameter,
    one_of,
    text,
    uuids,
)
from rest_compat.resources import LISTING_HEADERS, Call, Operation, Resource, Told
from rest_compat.schemas import array, ref
from rest_compat.version_rules import shown_formats
from rest_compat.visibility import visible_ids, visible_items
from tams_graphql.model.records import Source
from tams_graphql.model.vocabulary import ContentFormat, SourceSort
from tams_graphql.resolvers.filters import SourceFilter
from tams_graphql.resolvers.sources import (
    get_source,
    list_sources,
    source_collected_by,
    source_collection,
)

LABEL: Parameter[str | None] = Parameter(
    "label", "Only those with this label.", {"type": "string"}, text, None
)
FORMAT: Parameter[ContentFormat | None] = Parameter(
    "format", "Only this kind of content.", ref("content-format"), one_of(ContentFormat), None
)
COLLECTED_BY: Parameter[tuple[str, ...] | None] = Parameter(
    "collected_by_ids",
    "Only members of one of these collections (comma-separated ids); empty: of none at all.",
    {"type": "string"},
    uuids,
    None,
)
SORT: Parameter[SourceSort] = Parameter(
    "sort_by",
    "What to sort by; dates put the latest first.",
    {"type": "string", "enum": list(SourceSort), "default": SourceSort.CREATED},
    one_of(SourceSort),
    SourceSort.CREATED,
)
TAGS = TagParameter("tag", "Sources")


async def source_json(call: Call, source: Source) -> shapes.Json:
    """A Source with its collections; one read of each kind for all Sources of a tick."""
    collects, by = await asyncio.gather(
        source_collection(call.ctx, source.id), source_collected_by(call.ctx, source.id)
    )
    return shapes.source(
        source,
        await visible_items(call, "source", collects),
        await visible_ids(call, "source", by),
        call.version,
    )


async def get_one(call: Call) -> Response:
    """One Source."""
    source = await get_source(call.ctx, call.path["sourceId"])
    return json_response(await source_json(call, source))


async def get_listing(call: Call) -> Response:
    """A page of Sources."""
    page = page_request(call)
    filters = SourceFilter(
        label=call.query[LABEL],
        format=call.query[FORMAT],
        formats=shown_formats(call.version),
        tags=call.query[TAGS],
        collected_by=call.query[COLLECTED_BY],
        sort=call.query[SORT],
    )
    found = await list_sources(call.ctx, filters, page)
    items = await asyncio.gather(*(source_json(call, source) for source in found.items))
    headers = listing_headers(call, page, found.next_cursor, len(items))
    return json_response(items, headers=headers)


RESOURCES = (
    Resource(
        "/sources",
        {
            "GET": Operation(
                handler=get_listing,
                summary="Sources, the latest first",
                parameters=(LABEL, REVERSE_ORDER, SORT, TAGS, FORMAT, COLLECTED_BY, *PAGING),
                answers={200: Told("A page.", array(ref("source")), LISTING_HEADERS)},
            )
        },
    ),
    Resource(
        "/sources/{sourceId}",
        {
            "GET": Operation(
                handler=get_one,
                summary="One Source",
                answers={200: Told("The Source.", ref("source"))},
            )
        },
    ),
)
