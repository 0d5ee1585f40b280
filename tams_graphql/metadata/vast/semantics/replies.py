"""What became of a request, and requests that may have to wait for somebody else's lock."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tams_graphql.metadata.vast.faults import RowConflict, TransactionLost, Unreachable
from tams_graphql.model.errors import Unavailable


class Kind(StrEnum):
    """What a request was answered with."""

    DONE = "done"
    CONFLICT = "refused as a conflict"
    LOST = "refused: no such transaction"
    REFUSED = "refused"
    UNANSWERED = "not answered"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `words` are the cluster's own if it refused."""

    kind: Kind
    words: str = ""

    @property
    def done(self) -> bool:
        """Whether the request was carried out."""
        return self.kind is Kind.DONE

    def __str__(self) -> str:
        return f"{self.kind.value} ({self.words})" if self.kind is Kind.REFUSED else self.kind.value


def reply_of(request: Callable[[], object]) -> Reply:
    """What becomes of `request`; none of the cluster's refusals is raised."""
    try:
        request()
    except RowConflict as error:
        return Reply(Kind.CONFLICT, str(error))
    except TransactionLost as error:
        return Reply(Kind.LOST, str(error))
    except Unreachable as error:
        return Reply(Kind.UNANSWERED, str(error))
    except Unavailable as error:
        return Reply(Kind.REFUSED, str(error))
    return Reply(Kind.DONE)


class Pending:
    """A request under way in a thread of its own: it may wait for another transaction's end."""

    def __init__(self, request: Callable[[], object]) -> None:
        self._request = request
        self._reply = Reply(Kind.UNANSWERED)
        # Nobody has to wait at exit for a request that the cluster never answers.
        self._thread = threading.Thread(target=self._send, name="vast-probe", daemon=True)
        self._thread.start()

    def within(self, seconds: float) -> Reply | None:
        """The answer, or ``None`` if there is none after so long."""
        self._thread.join(seconds)
        return None if self._thread.is_alive() else self._reply

    def _send(self) -> None:
        self._reply = reply_of(self._request)
