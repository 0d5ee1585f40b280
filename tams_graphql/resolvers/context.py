"""What a request carries: who asks, which ports serve it, which loaders it shares."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network
from typing import Protocol

from tams_graphql.events.event import Event
from tams_graphql.events.hub import Hub
from tams_graphql.events.position import Position
from tams_graphql.events.sending import Sender
from tams_graphql.media.store import MediaStores
from tams_graphql.metadata.engine import MetadataEngine
from tams_graphql.model.records import Webhook
from tams_graphql.model.retrying import RETRY_SECONDS
from tams_graphql.model.webhook_url import DEFAULT_PORTS
from tams_graphql.resolvers.background import Background
from tams_graphql.resolvers.loaders import Loaders
from tams_graphql.resolvers.secrets import NoSecrets, Secrets


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. Until authentication lands everybody is anonymous."""

    name: str = "anonymous"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What the operator configured about the service. Timeouts in seconds.

    `async_delete_segments`: a deletion of more segments than that is not waited for; 0: none is.
    `deletion_grace`: for how many seconds a timeline that went stays for requests that had just
    asked for it. `delete_request_retention`: for how many a deletion that ended can be looked at.
    `head_urls_in_rest`: whether REST lists HEAD-only URLs if a client says nothing about them.
    `webhook_networks`: beyond the public internet, where webhooks may be sent; `webhook_ports`: on
    which ports elsewhere. `webhook_retry_seconds`: how long after each failure an event is sent
    to a webhook again; then it is given up. `event_retention`: for how many seconds events, and
    what became of them, can be looked at.
    """

    name: str | None = None
    description: str | None = None
    version: str = "0"
    min_object_timeout: int = 3600
    min_presigned_url_timeout: int = 900
    async_delete_segments: int = 10_000
    deletion_grace: int = 5
    delete_request_retention: int = 24 * 3600
    head_urls_in_rest: bool = False
    webhook_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    webhook_ports: frozenset[int] = DEFAULT_PORTS
    webhook_retry_seconds: tuple[float, ...] = RETRY_SECONDS
    event_retention: int = 7 * 24 * 3600


def now_us() -> int:
    """The wall clock in microseconds since the Unix epoch (UTC)."""
    return time.time_ns() // 1000


class BodyMaker(Protocol):
    """Writes events as receivers of webhooks read them."""

    async def body(self, ctx: "Context", webhook: Webhook, event: Event) -> bytes | None:
        """`event` in the shape that `webhook` wants.

        ``None``: it is of what the version of the API under which it was registered can't see.
        """

    def trial(self, webhook: Webhook, occurred_us: int) -> bytes:
        """An event that says of itself that it is only a trial."""


@dataclass(slots=True, kw_only=True)
class Context:
    """Made anew for each request; there are no globals.

    `background`, `hub`, `sender` and `bodies` are the process's; without a hub nobody is told of
    events, without the others no webhook. `now`: where in the event log a subscription begins that
    says nothing about it; ``None``: where the log is by then.
    """

    metadata: MetadataEngine
    stores: MediaStores
    service: Service
    principal: Principal = field(default_factory=Principal)
    request_id: str = ""
    clock: Callable[[], int] = now_us
    background: Background = field(default_factory=Background)
    secrets: Secrets = field(default_factory=NoSecrets)
    hub: Hub | None = None
    sender: Sender | None = None
    bodies: BodyMaker | None = None
    now: Position | None = None
    loaders: Loaders = field(init=False)

    def __post_init__(self) -> None:
        self.loaders = Loaders(self.metadata)

    def renewed(self) -> "Context":
        """The same for later: it remembers nothing of what this one has read."""
        return replace(self)
