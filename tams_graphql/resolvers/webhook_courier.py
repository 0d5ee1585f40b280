"""Bringing one webhook its events, one after the other (ADR 0013).

1. Follow the log from where the webhook is, with its filters, from the hub of this process.
2. Before each event look at the webhook again. Another owner, or none: stop. Other filters:
   follow the log anew from the last place that was passed under the old ones for certain.
3. Send. What was taken is written down a little later, with others: after a crash it is sent
   again, with the same ``webhook-id``.
4. What was not taken is written down at once, and the webhook let go until it is time to try
   again: whoever takes it then begins with that event.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from tams_graphql.events.event import Event
from tams_graphql.events.hub import Hub, Subscription, Told
from tams_graphql.events.position import Position, later_of
from tams_graphql.events.sending import Outcome
from tams_graphql.metadata.event_tables import WEBHOOK_QUEUES
from tams_graphql.metadata.tables import WEBHOOKS
from tams_graphql.model.errors import CursorTooOld, Stopping, TooSlow, Unavailable
from tams_graphql.model.records import Attempt, DeliveryStatus, Webhook, WebhookError
from tams_graphql.model.retrying import retry_delay_us
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.delivery_rows import Sent
from tams_graphql.resolvers.events import EventFilter
from tams_graphql.resolvers.webhook_posts import deliver_event
from tams_graphql.resolvers.webhook_progress import (
    Failure,
    NotMine,
    Progress,
    Taken,
    record,
    record_failure,
    record_skipping,
)
from tams_graphql.resolvers.webhook_queue import RESTING
from tams_graphql.resolvers.webhook_rows import webhook_from_row

UNWRITTEN = 20
"""So many events at most are sent before it is written down that they were taken."""

_CAPACITY = 100
"""How many events of the hub may wait; a webhook that is slower reads the log by itself."""

_AWAY_SECONDS = 1.0
_log = logging.getLogger(__name__)


class _OtherFilters(Exception):
    """The webhook's owner wants other events from now on."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a subscription had come when there was nothing to send."""

    subscription: Subscription
    position: Position


class Courier:
    """Serves one webhook, in one task, until somebody else has to.

    One that is `finishing` ends after the event that it is just sending. `waits_seconds`: how long
    after its end the webhook is to be tried again, if it is.
    """

    def __init__(self, make_context: Callable[[], Context], hub: Hub, taken: Taken) -> None:
        self.webhook = taken.webhook
        self.owner = taken.owner
        self.written_us = make_context().clock()
        self.finishing = False
        self.waits_seconds: float | None = None
        self._make_context = make_context
        self._hub = hub
        self._failing_id, self._failures = taken.failing_id, taken.failures
        self._passed = taken.position
        self._sent: list[Sent] = []
        self._following: Subscription | None = None
        self._sending = False
        self._writing = asyncio.Lock()

    async def run(self) -> None:
        """Send events as they come, until the webhook is another's, rests, waits, or is gone."""
        with suppress(NotMine):
            while True:
                try:
                    await self._follow()
                except Stopping:
                    # What was sent is still to be written down: whoever stops this does it.
                    await asyncio.get_running_loop().create_future()
                except (TooSlow, _OtherFilters):
                    continue
                except CursorTooOld:
                    await self._skip()
                except Unavailable as error:
                    await self._rest(error)

    @property
    def progress(self) -> Progress:
        """How far it is."""
        sent = tuple(self._sent)
        return Progress(
            webhook=self.webhook,
            owner=self.owner,
            position=self._passed,
            failing_id=self._failing_id,
            sent=sent,
        )

    @property
    def has_unwritten(self) -> bool:
        """Whether something was sent that is not written down."""
        return bool(self._sent)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being sent."""
        return not self._sending

    def mark(self) -> Mark | None:
        """How far it is; ``None`` while an event is being sent."""
        if self._following is None or self._sending:
            return None
        return Mark(self._following, self._following.position)

    def seen(self, webhook: Webhook, mark: Mark | None) -> bool:
        """Take note of the webhook as it was read after `mark` was made.

        Returns:
            Whether its filters are still those that the log is followed with.
        """
        if events_of(webhook) != events_of(self.webhook):
            return False
        self.webhook = webhook
        if mark is not None and mark.subscription is self._following:
            self._passed = later_of(self._passed, mark.position)
        return True

    def turn(self, webhook: Webhook) -> None:
        """From now on it wants other events: what it did not take may not be among them."""
        self.webhook, self._failing_id, self._failures = webhook, None, 0

    async def write(self) -> bool:
        """Write down what was sent; whether the webhook is still this one's."""
        async with self._writing:
            progress = self.progress
            lost = await record(self._make_context(), [progress])
            self.written(progress)
        return self.owner not in lost

    def written(self, progress: Progress) -> None:
        """`progress` is written down."""
        del self._sent[: len(progress.sent)]
        self.written_us = self._make_context().clock()

    async def _follow(self) -> None:
        wanted = events_of(self.webhook)
        async with self._hub.subscribe(wanted, self._passed, _CAPACITY) as subscription:
            self._following = subscription
            try:
                async for told in subscription:
                    self._sending = True
                    await self._bring(told)
                    self._sending = False
                    if self.finishing:
                        raise NotMine
            finally:
                self._following, self._sending = None, False

    async def _bring(self, told: Told) -> None:
        ctx = self._make_context()
        webhook = await self._current(ctx)
        if not self.seen(webhook, None):
            self.turn(webhook)
            raise _OtherFilters
        tried = await deliver_event(ctx, webhook, told.event)
        if tried is None:
            self._passed = told.position
            return
        outcome, attempt = tried
        if outcome.reason is not None:
            await self._fail(ctx, webhook, told.event, (outcome, attempt))
            raise NotMine
        self._sent.append(Sent(told.event, DeliveryStatus.DELIVERED, attempt))
        self._passed = told.position
        if told.event.id == self._failing_id:
            self._failing_id, self._failures = None, 0
        if len(self._sent) >= UNWRITTEN and not await self.write():
            raise NotMine

    async def _current(self, ctx: Context) -> Webhook:
        key = [(self.webhook.id,)]
        queues, rows = await asyncio.gather(
            ctx.metadata.get(WEBHOOK_QUEUES, key, ("webhook_id", "owner")),
            ctx.metadata.get(WEBHOOKS, key),
        )
        if queues["owner"].to_pylist() != [self.owner] or not rows.num_rows:
            raise NotMine
        webhook = webhook_from_row(rows.to_pylist()[0])
        if webhook.status in RESTING:
            raise NotMine
        return webhook

    async def _fail(
        self, ctx: Context, used: Webhook, event: Event, tried: tuple[Outcome, Attempt]
    ) -> None:
        outcome, attempt = tried
        failures = self._failures + 1
        schedule, chance = ctx.service.webhook_retry_seconds, random.random()  # noqa: S311 - jitter
        wait_us = retry_delay_us(failures, schedule, outcome.retry_after_s, chance)
        if outcome.gone:
            wait_us = None
        status = DeliveryStatus.FAILED if wait_us is None else DeliveryStatus.RETRYING
        failure = Failure(
            sent=Sent(event, status, attempt),
            failures=failures,
            wait_us=wait_us,
            error=_given_up(outcome, failures, attempt),
        )
        async with self._writing:
            progress = replace(self.progress, webhook=used)
            await record_failure(ctx, progress, failure)
            self.waits_seconds = None if wait_us is None else wait_us / 1_000_000
            self.written(progress)

    async def _skip(self) -> None:
        """Go on with the oldest event that is still there, if it is not further than that."""
        try:
            position = later_of(self._passed, await self._hub.log.floors())
            if position != self._passed:
                self._passed = position
                async with self._writing:
                    await record_skipping(self._make_context(), self.progress)
        except Unavailable as error:
            await self._rest(error)

    async def _rest(self, error: Unavailable) -> None:
        _log.info("webhook %s will be served again: %s", self.webhook.id, error)
        await asyncio.sleep(_AWAY_SECONDS)


def events_of(webhook: Webhook) -> EventFilter:
    """Which events `webhook` wants."""
    chosen = {name: frozenset(ids) for name, ids in webhook.filters.items() if name in _FILTERS}
    return EventFilter(
        types=frozenset(webhook.events),
        flow_ids=chosen.get("flow_ids"),
        source_ids=chosen.get("source_ids"),
        flow_collected_by=chosen.get("flow_collected_by_ids"),
        source_collected_by=chosen.get("source_collected_by_ids"),
    )


_FILTERS = ("flow_ids", "source_ids", "flow_collected_by_ids", "source_collected_by_ids")


def _given_up(outcome: Outcome, failures: int, attempt: Attempt) -> WebhookError:
    if outcome.gone:
        return WebhookError(type="GONE", summary=outcome.reason or "", time_us=attempt.at_us)
    times = "once" if failures == 1 else f"{failures} times"
    summary = f"an event was sent {times} and not taken; the last time: {outcome.reason}"
    return WebhookError(type="NOT_DELIVERED", summary=summary, time_us=attempt.at_us)
