"""Serving the webhooks of all processes, each by one task of one process (ADR 0013).

In rounds:

1. Write down what the couriers of this process have done, which renews their leases; those who
   have nothing to tell do so now and then.
2. Look at their webhooks: stop those that are no longer this process's, and tell the others what
   their owners have changed.
3. Take webhooks that nobody serves: new ones, those whose time to try again has come, and those
   whose process died. Few at first, so that other processes get their share.

When the process stops, all are let go at once.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping

from tams_graphql.metadata.engine import Key
from tams_graphql.metadata.event_tables import WEBHOOK_QUEUES
from tams_graphql.metadata.tables import WEBHOOKS
from tams_graphql.model.errors import Unavailable
from tams_graphql.model.records import Webhook
from tams_graphql.model.vocabulary import WebhookStatus
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.webhook_courier import Courier
from tams_graphql.resolvers.webhook_progress import (
    LEASE_US,
    due_webhooks,
    record,
    start_again,
    take,
)
from tams_graphql.resolvers.webhook_queue import RESTING
from tams_graphql.resolvers.webhook_rows import webhook_from_row

ROUND_SECONDS = 0.5
"""How long there is rest between two rounds."""

FINISH_SECONDS = 2.0
"""How long what is being sent may take when the process stops; then it will be sent again."""

TAKEN_AT_FIRST = 8
"""How many webhooks a process takes in a round; it may take as many again as it has already."""

_RENEWED_AFTER_US = LEASE_US // 3
_log = logging.getLogger(__name__)


async def serve_webhooks(
    make_context: Callable[[], Context], round_seconds: float = ROUND_SECONDS
) -> None:
    """Send events to webhooks until cancelled."""
    dispatch = Dispatch(make_context)
    try:
        while True:
            try:
                await dispatch.round()
                await dispatch.rest(round_seconds)
                continue
            except Unavailable as error:
                _log.info("will be tried again: %s", error)
            except Exception:  # noqa: BLE001 - the edge of this task
                # The next round must come whatever happened in this one.
                _log.exception("webhooks were not looked after")
            await asyncio.sleep(round_seconds)
    finally:
        await dispatch.close()


class Dispatch:
    """The couriers of one process."""

    def __init__(self, make_context: Callable[[], Context]) -> None:
        self._make_context = make_context
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._couriers: dict[str, Courier] = {}
        self._due = asyncio.Event()

    @property
    def serving(self) -> Mapping[str, Courier]:
        """Who serves which webhook, in this process."""
        return dict(self._couriers)

    async def round(self) -> None:
        """One round.

        Raises:
            Unavailable: the index does not answer.
        """
        ctx = self._make_context()
        await self._write(ctx)
        await self._look(ctx)
        await self._take(ctx)

    async def rest(self, seconds: float) -> None:
        """Wait until the next round, but for webhooks that are to be tried again before.

        A receiver that fails now and then would otherwise cost a round each time.

        Raises:
            Unavailable: the index does not answer.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while True:
            # Only the waiting is cut off: what is taken is leased, and must be served.
            try:
                async with asyncio.timeout_at(until):
                    await self._due.wait()
            except TimeoutError:
                return
            self._due.clear()
            await self._take(self._make_context())

    async def close(self) -> None:
        """Stop all couriers, after what they are just sending, and let go of their webhooks."""
        couriers = list(self._couriers.values())
        for one in couriers:
            one.finishing = True
        await self.stop(*(one.webhook.id for one in couriers if one.is_idle))
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=FINISH_SECONDS)
        await self.stop(*self._couriers)
        try:
            await record(self._make_context(), [one.progress for one in couriers], release=True)
        except Unavailable as error:
            _log.info("webhooks are let go when their leases end: %s", error)

    async def _write(self, ctx: Context) -> None:
        due_us = ctx.clock() - _RENEWED_AFTER_US
        couriers = self._couriers.values()
        # Those with something to tell in commits of their own: none waits for another.
        busy = [one for one in couriers if one.has_unwritten]
        kept = await asyncio.gather(*(one.write() for one in busy))
        lost = {one.owner for one, mine in zip(busy, kept, strict=True) if not mine}
        idle = [one for one in couriers if one not in busy and one.written_us < due_us]
        lost |= await record(ctx, [one.progress for one in idle])
        for one in idle:
            one.written_us = ctx.clock()
        await self.stop(*(one.webhook.id for one in [*busy, *idle] if one.owner in lost))

    async def _look(self, ctx: Context) -> None:
        if not self._couriers:
            return
        marks = {one: courier.mark() for one, courier in self._couriers.items()}
        keys: list[Key] = [(webhook_id,) for webhook_id in marks]
        queues, rows = await asyncio.gather(
            ctx.metadata.get(WEBHOOK_QUEUES, keys, ("webhook_id", "owner")),
            ctx.metadata.get(WEBHOOKS, keys),
        )
        owners = {row["webhook_id"]: row["owner"] for row in queues.to_pylist()}
        found = {row["webhook_id"]: webhook_from_row(row) for row in rows.to_pylist()}
        for webhook_id, mark in marks.items():
            courier, webhook = self._couriers.get(webhook_id), found.get(webhook_id)
            if courier is None:
                continue
            mine = owners.get(webhook_id) == courier.owner
            if webhook is None or webhook.status in RESTING or not mine:
                await self.stop(webhook_id)
            elif not courier.seen(webhook, mark):
                await self._turn(courier, webhook)
            elif webhook.status is WebhookStatus.CREATED:
                await start_again(ctx, webhook_id)

    async def _turn(self, courier: Courier, webhook: Webhook) -> None:
        """Follow the log with other filters; one who is sending finds out by himself."""
        if courier.is_idle:
            await self.stop(webhook.id)
            courier.turn(webhook)
            self._begin(courier)

    async def _take(self, ctx: Context) -> None:
        hub = ctx.hub
        if hub is None:
            raise Unavailable("this process is told of no events")
        for webhook_id in await due_webhooks(ctx, max(TAKEN_AT_FIRST, len(self._couriers))):
            taken = None if webhook_id in self._couriers else await take(ctx, webhook_id)
            if taken is not None:
                self._begin(Courier(self._make_context, hub, taken))

    def _begin(self, courier: Courier) -> None:
        webhook_id = courier.webhook.id
        self._couriers[webhook_id] = courier
        task = asyncio.create_task(courier.run())
        self._tasks[webhook_id] = task
        task.add_done_callback(lambda ended: self._ended(webhook_id, ended))

    def _ended(self, webhook_id: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(webhook_id) is task:
            courier = self._couriers.pop(webhook_id)
            del self._tasks[webhook_id]
            if courier.waits_seconds is not None and courier.waits_seconds < ROUND_SECONDS * 2:
                asyncio.get_running_loop().call_later(courier.waits_seconds, self._due.set)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its lease ends soon, and somebody tries again.
            _log.error("webhook %s is not served", webhook_id, exc_info=error)

    async def stop(self, *webhook_ids: str) -> None:
        """Stop serving these; nothing is written down, nothing let go."""
        tasks = [self._tasks.pop(one) for one in webhook_ids if one in self._tasks]
        for one in webhook_ids:
            self._couriers.pop(one, None)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
