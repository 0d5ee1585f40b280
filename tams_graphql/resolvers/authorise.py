"""The one seam through which every resolver asks whether the principal may do this.

Everybody may do everything until authentication lands; the calls are already where the
decision will be made, so that it lands in this file alone.
"""

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tams_graphql.resolvers.context import Context


class Action(StrEnum):
    """What is to be done (the scopes of AWS's TAMS clients)."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"


def authorise(ctx: "Context", action: Action, kind: str, identifier: str | None = None) -> None:
    """Refuse, or return.

    Args:
        ctx: the request.
        action: what is to be done.
        kind: the noun (``source``, ``flow``, ``object``, ``service``).
        identifier: which one, or ``None`` for a listing.

    Raises:
        Forbidden: the principal may not.
    """
