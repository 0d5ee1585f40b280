"""Everything an operator can set: by flag, by ``TAMS_*`` environment or in ``tams.toml``.

In that order of precedence. `tams config` shows the values in force and where each came from;
``deploy/env.example`` is generated from this file (`tams schema --write`).
"""

import ipaddress
import os
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, HttpUrl, IPvAnyNetwork, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from tams_graphql.model.retrying import RETRY_SECONDS
from tams_graphql.model.webhook_url import DEFAULT_PORTS
from tams_graphql.storage_settings import S3BackendSettings
from tams_graphql.vast_settings import VastSettings

Seconds = Annotated[int, Field(gt=0)]
Port = Annotated[int, Field(ge=1, le=65535)]
Bytes = Annotated[int, Field(gt=0)]

_MAX_S3_LIFETIME = 7 * 24 * 3600


class Settings(BaseSettings):
    """The configuration of one server process."""

    model_config = SettingsConfigDict(
        env_prefix="TAMS_",
        toml_file="tams.toml",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    data: Path = Field(Path("data"), description="Folder of the index and the media bytes.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on.")
    public_url: HttpUrl | None = Field(
        None,
        description="Address that clients use, with any path prefix; every URL handed out starts"
        " with it. Default: the listening address.",
    )
    trusted_proxies: list[str] = Field(
        default_factory=list,
        description="Addresses of proxies whose X-Forwarded-* headers are believed (JSON list).",
    )
    insecure_no_auth: bool = Field(
        False,
        description="Permit listening beyond loopback although nobody has to authenticate yet.",
    )
    cors_origins: list[str] = Field(
        default_factory=list,
        description="Origins beyond loopback whose web pages may call the APIs (JSON list).",
    )
    name: str | None = Field("tams-graphql", description="Name of the service.")
    description: str | None = Field(None, description="Description of the service.")
    secret_key_file: Path | None = Field(
        None,
        description="File of the 32 bytes that seal webhooks' keys in the index, made if missing;"
        " the same for all servers of a store. Default: secret_key in the data folder.",
    )
    webhook_networks: list[IPvAnyNetwork] = Field(
        default_factory=list,
        description="Networks beyond the public internet that webhooks may be sent to (JSON list,"
        ' such as ["10.0.0.0/8"]).',
    )
    event_poll_seconds: float = Field(
        0.25,
        gt=0,
        le=60,
        description="How often a server looks for changes that other servers made, in seconds.",
    )
    event_retention: int = Field(
        7 * 24 * 3600,
        ge=60,
        description="For how many seconds events can be read again by subscribers that were away.",
    )
    event_keep_alive: float = Field(
        12,
        gt=0,
        le=600,
        description="Seconds between signs of life on connections that wait for events.",
    )
    max_subscriptions: int = Field(
        100, gt=0, description="How many operations may run at a time on one WebSocket."
    )
    webhook_ports: list[Port] = Field(
        default_factory=lambda: sorted(DEFAULT_PORTS),
        description="Ports that webhooks may be sent to (JSON list); in webhook_networks: any.",
    )
    webhook_connect_timeout: Seconds = Field(
        5, description="Seconds within which the receiver of a webhook must be reached."
    )
    webhook_timeout: Seconds = Field(
        15, description="Seconds within which the receiver of a webhook must have answered."
    )
    webhook_retry_seconds: list[Annotated[float, Field(gt=0, le=30 * 24 * 3600)]] = Field(
        default_factory=lambda: list(RETRY_SECONDS),
        description="Seconds after which an event is sent to a webhook again that did not take it"
        " (JSON list, one for each failure in a row); then the webhook's status is error.",
    )
    webhook_tls_ca_file: Path | None = Field(
        None,
        description="Certificates (PEM) that receivers of webhooks may have theirs from, besides"
        " the well-known ones.",
    )
    storage_label: str = Field("local", description="Label of the embedded storage backend.")
    embedded_storage: bool = Field(
        True, description="Keep media in the data folder, too; false: only in storage_backends."
    )
    storage_backends: list[S3BackendSettings] = Field(
        default_factory=list,
        description="S3 buckets to keep media in (JSON list, or [[storage_backends]] in tams.toml);"
        " see docs/storage-backends.md.",
    )
    vast: VastSettings | None = Field(
        None,
        description="Keep the index in VAST DB instead of a file in the data folder (JSON object,"
        " or [vast] in tams.toml).",
    )
    head_urls_in_rest: bool = Field(
        False,
        description="List HEAD-only URLs among REST's get_urls unless a client asks not to.",
    )
    min_object_timeout: Seconds = Field(
        3600,
        ge=300,
        description="Seconds within which an allocated object must be registered (at least 300).",
    )
    min_presigned_url_timeout: Seconds = Field(
        3600, ge=30, description="Seconds for which a presigned URL is valid (at least 30)."
    )
    async_delete_segments: int = Field(
        10_000,
        ge=0,
        description="A deletion of more segments is answered 202 and goes on; 0: every deletion.",
    )
    deletion_grace: int = Field(
        5,
        ge=0,
        description="Seconds for which a long flow that was deleted stays on disk, for requests"
        " that were just reading it.",
    )
    delete_request_retention: Seconds = Field(
        24 * 3600,
        description="Seconds for which a deletion answered 202 can be looked at after its end.",
    )
    max_body_bytes: Bytes = Field(
        8 * 1024 * 1024, description="Largest request body of both APIs, in bytes."
    )
    max_upload_bytes: Bytes = Field(64 * 1024**3, description="Largest media object, in bytes.")
    graphiql: bool = Field(True, description="Serve GraphiQL at /graphql.")
    introspection: bool = Field(True, description="Permit GraphQL introspection.")
    max_depth: int = Field(12, gt=0, description="Deepest GraphQL selection.")
    max_cost: int = Field(
        20_000, gt=0, description="Most objects that one GraphQL query could return."
    )
    log_level: str = Field("info", description="debug, info, warning or error.")
    log_json: bool | None = Field(
        None, description="Log lines as JSON; default: unless standard error is a terminal."
    )
    shutdown_timeout: Seconds = Field(
        10, description="Seconds that requests in flight get to finish at shutdown."
    )

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        level = value.lower()
        if level not in {"debug", "info", "warning", "error"}:
            raise ValueError("must be debug, info, warning or error")
        return level

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.min_presigned_url_timeout > self.min_object_timeout:
            raise ValueError(
                "min_presigned_url_timeout must not exceed min_object_timeout (spec 8.2, /service)"
            )
        if not self.insecure_no_auth and not is_loopback(self.host):
            raise ValueError(
                f"host {self.host!r} is beyond loopback and there is no authentication yet:"
                " listen on 127.0.0.1, or accept that anybody who reaches the port can read and"
                " delete everything (--insecure-no-auth, TAMS_INSECURE_NO_AUTH=true)"
            )
        return self

    @model_validator(mode="after")
    def _distinct_backends(self) -> Self:
        backends = self.storage_backends
        labels = [one.label for one in backends]
        if self.embedded_storage:
            labels.append(self.storage_label)
        elif not backends:
            raise ValueError("embedded_storage is false and there are no storage_backends")
        for name, values in (("id", [one.id for one in backends]), ("label", labels)):
            if len(set(values)) < len(values):
                raise ValueError(f"two storage backends have the same {name}")
        if sum(one.default_storage for one in backends) > 1:
            raise ValueError("two storage backends are the default one")
        if backends and self.min_presigned_url_timeout > _MAX_S3_LIFETIME:
            raise ValueError("min_presigned_url_timeout: S3 allows at most 604800 s (7 days)")
        return self

    @property
    def base_url(self) -> str:
        """What every emitted URL starts with; no slash at its end."""
        if self.public_url is not None:
            return str(self.public_url).rstrip("/")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags over environment over ``tams.toml``."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def setting_sources(flags: Collection[str]) -> dict[str, str]:
    """Where the value of each setting comes from: flag, environment, ``tams.toml`` or default."""
    in_file = TomlConfigSettingsSource(Settings)()
    environment = {name.lower() for name in os.environ}

    def source(name: str) -> str:
        if name in flags:
            return "flag"
        if f"tams_{name}" in environment:
            return f"TAMS_{name.upper()}"
        return "tams.toml" if name in in_file else "default"

    return {name: source(name) for name in Settings.model_fields}


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server listening on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def env_example() -> str:
    """An environment file with every setting, its meaning and its default."""
    lines = ["# Every setting of tams-graphql with its default. Generated: make schema", ""]
    for name, field in Settings.model_fields.items():
        lines += [
            f"# {field.description}",
            f"#TAMS_{name.upper()}={_as_text(field.get_default(call_default_factory=True))}",
            "",
        ]
    return "\n".join(lines)


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
