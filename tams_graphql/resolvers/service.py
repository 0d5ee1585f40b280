"""The service itself and its storage backends."""

from tams_graphql.media.store import StorageBackend
from tams_graphql.metadata.engine import Key
from tams_graphql.model.records import ServiceInfo
from tams_graphql.resolvers.authorise import Action, authorise
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.filters import TagFilter, matches_tags
from tams_graphql.resolvers.paging import Page, PageRequest, decode_cursor
from tams_graphql.resolvers.row_values import label_order

API_VERSION = "8.2"
SERVICE_TYPE = "urn:x-tams:service.tams-graphql"
_LISTING = "storage_backends"


def service_info(ctx: Context) -> ServiceInfo:
    """What the service tells about itself (spec 8.2, `GET /service`).

    Raises:
        Forbidden.
    """
    authorise(ctx, Action.READ, "service")
    return ServiceInfo(
        name=ctx.service.name,
        description=ctx.service.description,
        type=SERVICE_TYPE,
        api_version=API_VERSION,
        service_version=ctx.service.version,
        min_object_timeout=ctx.service.min_object_timeout,
        min_presigned_url_timeout=ctx.service.min_presigned_url_timeout,
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
