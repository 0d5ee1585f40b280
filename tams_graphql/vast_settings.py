"""The settings of an index in VAST DB: the table ``vast``."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, model_validator


class VastSettings(BaseModel):
    """A cluster, and where on it the index is.

    It holds no secret: credentials are in the environment, and only where to find them is told
    here.
    """

    # A secret in the wrong place must not be repeated in the refusal.
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True
    )

    endpoints: list[HttpUrl] = Field(
        min_length=1, description="Addresses of the cluster's nodes (CNodes): one at least."
    )
    bucket: str = Field(
        min_length=3, max_length=63, description="The database bucket, which must exist."
    )
    db_schema: str = Field(
        "tams",
        alias="schema",
        pattern="^[A-Za-z0-9_][A-Za-z0-9_.-]*$",
        max_length=63,
        description="The schema of the index's tables in that bucket.",
    )
    credentials_env: str = Field(
        "AWS_",
        pattern="^[A-Za-z_][A-Za-z0-9_]*$",
        description="Prefix of the variables ACCESS_KEY_ID and SECRET_ACCESS_KEY.",
    )
    verify_tls: bool = Field(True, description="Whether the cluster's certificate is checked.")
    tls_ca_file: Path | None = Field(None, description="Authorities to trust instead (PEM).")
    timeout: float = Field(10.0, gt=0, description="Seconds that any one request may take.")
    threads: int = Field(8, gt=0, description="Reads at once.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for url in self.endpoints:
            if url.username or url.password or url.query or url.fragment:
                raise ValueError("addresses bear no credentials, query or fragment")
            if url.path not in {None, "", "/"}:
                raise ValueError("addresses of nodes have no path")
        if len(set(self.endpoints)) < len(self.endpoints):
            raise ValueError("two endpoints are the same")
        if self.tls_ca_file is not None and not self.verify_tls:
            raise ValueError("tls_ca_file says whom to trust, but verify_tls is false")
        return self
