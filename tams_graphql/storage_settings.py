"""The settings of one storage backend in an S3 bucket: a table of ``storage_backends``."""

from pathlib import Path
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, model_validator


class S3BackendSettings(BaseModel):
    """A bucket, and what clients are told about it.

    It holds no secret: credentials are in the environment or in AWS's own files, and only where
    to find them is told here.
    """

    # A secret in the wrong place must not be repeated in the refusal.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    id: UUID = Field(description="Identifier of the backend: any UUID, never to be changed.")
    label: str = Field(min_length=1, description="What clients choose URLs by.")
    bucket: str = Field(min_length=3, max_length=63, description="The bucket, which must exist.")
    provider: str = Field(description="Who runs it, as clients are told.")
    store_product: str = Field("S3", description="What runs there, as clients are told.")
    region: str = Field("us-east-1", description="Region: signed into URLs, and told to clients.")
    availability_zone: str | None = Field(None, description="As clients are told.")
    tags: dict[str, str | list[str]] = Field(
        default_factory=dict, description="As clients are told; they can filter by them."
    )
    default_storage: bool = Field(
        False, description="Whether new objects go here if a client names no backend."
    )
    endpoint: HttpUrl | None = Field(None, description="The server. Default: AWS.")
    public_endpoint: HttpUrl | None = Field(
        None, description="What clients reach the server by. Default: `endpoint`."
    )
    addressing_style: Literal["auto", "path", "virtual"] = Field(
        "auto", description="Where URLs name the bucket; auto: in the path if there is an endpoint."
    )
    profile: str | None = Field(None, description="Profile of AWS's configuration files.")
    credentials_env: str | None = Field(
        None,
        pattern="^[A-Za-z_][A-Za-z0-9_]*$",
        description="Prefix of the variables ACCESS_KEY_ID, SECRET_ACCESS_KEY, SESSION_TOKEN.",
    )
    verify_tls: bool = Field(True, description="Whether the server's certificate is checked.")
    tls_ca_file: Path | None = Field(None, description="Authorities to trust instead (PEM).")
    direct_url_base: HttpUrl | None = Field(
        None, description="What comes before a key in unsigned URLs, handed out beside signed ones."
    )
    write_once: bool = Field(
        True, description="Sign `If-None-Match: *` into uploads, so that none can overwrite."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.profile is not None and self.credentials_env is not None:
            raise ValueError("give either profile or credentials_env, not both")
        for url in (self.endpoint, self.public_endpoint, self.direct_url_base):
            if url is not None and (url.password or url.username or url.query or url.fragment):
                raise ValueError("addresses bear no credentials, query or fragment")
        if self.tls_ca_file is not None and not self.verify_tls:
            raise ValueError("tls_ca_file says whom to trust, but verify_tls is false")
        return self
