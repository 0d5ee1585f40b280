"""What a request carries: who asks, which ports serve it, which loaders it shares."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network

from tams_graphql.events.hub import Hub
from tams_graphql.media.store import MediaStores
from tams_graphql.metadata.engine import MetadataEngine
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
    `webhook_networks`: beyond the public internet, where webhooks may be sent.
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


def now_us() -> int:
    """The wall clock in microseconds since the Unix epoch (UTC)."""
    return time.time_ns() // 1000


@dataclass(slots=True, kw_only=True)
class Context:
    """Made anew for each request; there are no globals.

    `background` and `hub` are the process's; without a hub nobody is told of events.
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
    loaders: Loaders = field(init=False)

    def __post_init__(self) -> None:
        self.loaders = Loaders(self.metadata)

    def renewed(self) -> "Context":
        """The same for later: it remembers nothing of what this one has read."""
        return replace(self)
