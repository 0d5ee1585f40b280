"""Who changes what, and when: the properties that every change of metadata renews."""

import uuid
from dataclasses import dataclass, replace

from tams_graphql.model.records import Flow, Source
from tams_graphql.resolvers.context import Context


def new_version() -> str:
    """A fresh `metadata_version`."""
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Stamp:
    """A change by `principal` at `now_us` (microseconds since the Unix epoch)."""

    principal: str
    now_us: int

    @classmethod
    def of(cls, ctx: Context) -> "Stamp":
        """A change that this request makes now."""
        return cls(ctx.principal.name, ctx.clock())

    def on_flow(
        self, flow: Flow, metadata_version: str | None = None, updated_by: str | None = None
    ) -> Flow:
        """`flow` with a new version, unless the client names the version and the updater."""
        return replace(
            flow,
            metadata_version=new_version() if metadata_version is None else metadata_version,
            updated_by=self.principal if updated_by is None else updated_by,
            metadata_updated_us=self.now_us,
        )

    def on_source(self, source: Source) -> Source:
        """`source`, updated now."""
        return replace(source, updated_by=self.principal, updated_us=self.now_us)
