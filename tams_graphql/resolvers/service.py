"""The service itself and its storage backends."""

from collections.abc import Mapping

from tams_graphql.media.store import StorageBackend
from tams_graphql.metadata import engine
from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Changes, Key, View
from tams_graphql.metadata.tables import SERVICE_INFO
from tams_graphql.model.records import ServiceInfo
from tams_graphql.resolvers.authorise import Action, authorise
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.filters import TagFilter, matches_tags
from tams_graphql.resolvers.paging import Page, PageRequest, decode_cursor
from tams_graphql.resolvers.properties import SERVICE_PROPERTIES, property_value
from tams_graphql.resolvers.row_values import label_order

API_VERSION = "8.2"
SERVICE_TYPE = "urn:x-tams:service.tams-graphql"
_LISTING = "storage_backends"
_ROW = "service"
"""The key of the one row of SERVICE_INFO."""


async def service_info(ctx: Context) -> ServiceInfo:
    """What the service tells about itself (spec 8.2, `GET /service`).

    What clients said about it comes before what the operator configured.

    Raises:
        Forbidden.
    """
    authorise(ctx, Action.READ, "service")
    found = (await ctx.metadata.get(SERVICE_INFO, [(_ROW,)])).to_pylist()
    return _described(ctx, found[0] if found else {})


async def update_service(ctx: Context, properties: Mapping[str, str | None]) -> ServiceInfo:
    """Change ``name`` and ``description`` for all processes (spec 8.2, `POST /service`).

    Args:
        ctx: the request.
        properties: by name; ``None`` goes back to the operator's setting, what is left out stays.

    Raises:
        Forbidden.
        InvalidInput: no such property, or not its value.
    """
    authorise(ctx, Action.WRITE, "service")
    wanted = {
        name: property_value(SERVICE_PROPERTIES, name, value) for name, value in properties.items()
    }
    now_us = ctx.clock()

    def command(view: View) -> Changes[ServiceInfo]:
        edits = Edits()
        return edits.changes(_described(ctx, _updated(view, edits, wanted, now_us)))

    relies_on = [engine.service(_ROW), engine.creation("service", _ROW)]
    return await ctx.metadata.commit(command, relies_on)


def _updated(
    view: View, edits: Edits, wanted: Mapping[str, str | None], now_us: int
) -> Mapping[str, str | None]:
    rows = view.get(SERVICE_INFO, [(_ROW,)]).to_pylist()
    before = rows[0] if rows else dict.fromkeys(SERVICE_PROPERTIES)
    after = {**before, **wanted}
    if after != before:
        row = {"service_id": _ROW, **{name: after[name] for name in SERVICE_PROPERTIES}}
        if rows:
            edits.update(SERVICE_INFO, {**row, "updated_us": now_us})
        else:
            edits.insert(SERVICE_INFO, {**row, "updated_us": now_us, "version": 0})
    return after


def _described(ctx: Context, said: Mapping[str, str | None]) -> ServiceInfo:
    name, description = said.get("name"), said.get("description")
    return ServiceInfo(
        name=ctx.service.name if name is None else name,
        description=ctx.service.description if description is None else description,
        type=SERVICE_TYPE,
        api_version=API_VERSION,
        service_version=ctx.service.version,
        min_object_timeout=ctx.service.min_object_timeout,
        min_presigned_url_timeout=ctx.service.min_presigned_url_timeout,
        event_stream_mechanisms=() if ctx.sender is None else ({"name": "webhooks"},),
    )


def list_storage_backends(
    ctx: Context, page: PageRequest, tags: tuple[TagFilter, ...] = ()
) -> Page[StorageBackend]:
    """Storage backends by label; those without one by id after them (spec 8.2).

    Raises:
        Forbidden.
        InvalidInput: the cursor is not of this listing.
    """
    authorise(ctx, Action.READ, "service")
    found = [store.backend for store in ctx.stores.by_id.values()]
    placed = [(_position(one), one) for one in found if matches_tags(one.tags, tags)]
    placed.sort(key=lambda pair: pair[0], reverse=page.reverse)
    if page.after is not None:
        after = decode_cursor(_LISTING, page.after, page.field, (str, str))
        placed = [pair for pair in placed if _beyond(pair[0], after, page)]
    shown = placed[: page.limit]
    return Page(
        items=[backend for _, backend in shown],
        positions=[position for position, _ in shown],
        listing=_LISTING,
        has_more=len(placed) > page.limit,
    )


def _position(backend: StorageBackend) -> tuple[str, str]:
    return (label_order(backend.label), backend.id)


def _beyond(position: Key, after: Key, page: PageRequest) -> bool:
    return position < after if page.reverse else position > after
