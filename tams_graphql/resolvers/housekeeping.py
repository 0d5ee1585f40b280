"""What a server does by itself, as long as it runs: copies, and all that is to be deleted."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from tams_graphql.model.errors import Unavailable
from tams_graphql.resolvers.allocations import collect_allocations
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.copies import resume_copies
from tams_graphql.resolvers.deletion_jobs import work_on_deletions
from tams_graphql.resolvers.deliveries import trim_deliveries
from tams_graphql.resolvers.discard import discard_media
from tams_graphql.resolvers.event_retention import forget_events

ROUND_SECONDS = 1.0
"""How long there is rest between two rounds."""

RARELY_SECONDS = 60.0
"""How long between two rounds of what is not urgent."""

_log = logging.getLogger(__name__)


async def keep_house(make_context: Callable[[], Context]) -> None:
    """Do each of the chores again and again until cancelled; none waits for another."""
    chores = (resume_copies, work_on_deletions, discard_media)
    seldom = (collect_allocations, forget_events, trim_deliveries)
    await asyncio.gather(
        *(_rounds(chore, make_context) for chore in chores),
        *(_rounds(chore, make_context, RARELY_SECONDS) for chore in seldom),
    )


async def _rounds(
    chore: Callable[[Context], Awaitable[object]],
    make_context: Callable[[], Context],
    rest_seconds: float = ROUND_SECONDS,
) -> None:
    while True:
        try:
            await chore(make_context())
        except Unavailable as error:
            _log.info("will be tried again: %s", error)
        except Exception:  # noqa: BLE001 - the edge of this task
            # Nobody else is told, and the next round must come whatever happened in this one.
            _log.exception("a chore failed")
        await asyncio.sleep(rest_seconds)
