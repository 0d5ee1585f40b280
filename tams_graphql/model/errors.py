"""Every way in which a request can be refused, and what each is called in both APIs.

Resolvers raise these plain exceptions. `ANSWERS` maps each once to a GraphQL error code
and an HTTP status; the two faces only look it up.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one field.

    `field` is a dotted path into the input (``segments.3.timerange``) or a query parameter;
    `rule` is a stable, machine-readable name (``overlap``, ``timerange.reversed``).
    """

    field: str
    rule: str
    message: str


class MediaStoreError(Exception):
    """A refusal that the caller can understand; nothing was changed."""

    def __init__(self, message: str, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.problems = problems

    @property
    def code(self) -> str:
        """The GraphQL error code (``extensions.code`` and ``UserError.code``)."""
        return answer_to(type(self)).code

    @property
    def status(self) -> int:
        """The HTTP status."""
        return answer_to(type(self)).status


class InvalidInput(MediaStoreError):
    """The input breaks a rule; `problems` names each field and rule."""

    def __init__(self, field: str, rule: str, message: str) -> None:
        super().__init__(message, (Problem(field, rule, message),))

    @classmethod
    def of(cls, problems: list[Problem]) -> "InvalidInput":
        """One refusal for several problems; the first one's message leads."""
        first = problems[0]
        refusal = cls(first.field, first.rule, f"{first.field}: {first.message}")
        refusal.problems = tuple(problems)
        return refusal


class NotFound(MediaStoreError):
    """The resource does not exist (or its identifier is malformed: see DECISIONS)."""

    def __init__(self, kind: str, identifier: str) -> None:
        super().__init__(
            f"{kind} {identifier!r} does not exist",
            (Problem(kind, "not_found", f"{kind} {identifier!r} does not exist"),),
        )
        self.kind = kind
        self.identifier = identifier


class Forbidden(MediaStoreError):
    """The principal may not do this, or the flow is read-only."""


class Overlap(MediaStoreError):
    """A segment would overlap one that is stored; `segment` names that one."""

    def __init__(self, field: str, timerange: str, object_id: str, stored: str) -> None:
        message = (
            f"timerange {timerange} overlaps the stored segment {stored} of object {object_id!r}"
        )
        super().__init__(message, (Problem(field, "overlap", message),))
        self.object_id = object_id
        self.stored = stored


class Conflict(MediaStoreError):
    """The same idempotency key came with another body."""


class Unavailable(MediaStoreError):
    """A store did not answer in time, or the retry budget is spent. Try again."""


class CursorTooOld(MediaStoreError):
    """Events after a cursor have been deleted; `oldest` is the oldest cursor that still works."""

    def __init__(self, oldest: str) -> None:
        message = (
            "events after this cursor are no longer kept; read the state anew, and go on after"
            f" the oldest cursor, {oldest}, or without one"
        )
        super().__init__(message, (Problem("after", "cursor.too_old", message),))
        self.oldest = oldest


class SubscriptionEnded(MediaStoreError):
    """Nothing more is told to a subscriber; after `cursor` it can go on."""

    def __init__(self, reason: str, cursor: str) -> None:
        super().__init__(f"{reason}; go on after the cursor {cursor}")
        self.cursor = cursor


class TooSlow(SubscriptionEnded):
    """Too many events waited for the subscriber."""


class Stopping(SubscriptionEnded):
    """The server stops."""


class EventGone(MediaStoreError):
    """An event that was to be sent again is no longer kept."""

    def __init__(self, message: str) -> None:
        super().__init__(message, (Problem("delivery_id", "event.gone", message),))


class TooLarge(MediaStoreError):
    """The body exceeds a limit; the message names the limit and its value."""


class UnsupportedMediaType(MediaStoreError):
    """The body is of a content type that this place does not take."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How an error is told: a GraphQL code and an HTTP status."""

    code: str
    status: int


ANSWERS: dict[type, Answer] = {
    InvalidInput: Answer("INVALID_INPUT", 400),
    Overlap: Answer("OVERLAP", 400),
    NotFound: Answer("NOT_FOUND", 404),
    Forbidden: Answer("FORBIDDEN", 403),
    CursorTooOld: Answer("CURSOR_TOO_OLD", 410),
    EventGone: Answer("EVENT_GONE", 410),
    Conflict: Answer("CONFLICT", 409),
    TooSlow: Answer("TOO_SLOW", 429),
    Stopping: Answer("STOPPING", 503),
    TooLarge: Answer("TOO_LARGE", 413),
    UnsupportedMediaType: Answer("UNSUPPORTED_MEDIA_TYPE", 415),
    Unavailable: Answer("UNAVAILABLE", 503),
}


def answer_to(kind: type[MediaStoreError]) -> Answer:
    """How errors of `kind` are told: as their nearest relative in `ANSWERS`.

    An engine or a store may tell more kinds of a refusal apart than the APIs do.
    """
    return next(ANSWERS[each] for each in kind.__mro__ if each in ANSWERS)
