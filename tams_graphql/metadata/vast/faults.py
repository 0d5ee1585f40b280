"""What the SDK's errors mean to a transaction: over, in doubt, or ours to answer for."""

from collections.abc import Iterator
from contextlib import contextmanager

import requests
import urllib3
from vastdb import _internal, errors

from tams_graphql.model.errors import Unavailable


class RowConflict(Exception):
    """A concurrent transaction has the row; nothing of this one will be stored. Run it again."""


class TransactionLost(Exception):
    """The cluster no longer knows the transaction (it idled too long). Run it again."""


class Unreachable(Unavailable):
    """No answer that can be understood: what was asked for may have been done or not."""


class Busy(Unavailable):
    """The cluster wants to be asked later; nothing was done."""


_NOT_UNDERSTOOD = (
    errors.ConnectionError,
    errors.ApiResponseError,
    _internal.QueryDataInternalError,
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,
    ConnectionError,
    TimeoutError,
    EOFError,
    # The SDK's answer to a status, a header or a body that it does not know.
    ValueError,
    KeyError,
)
_UNKNOWN_TRANSACTION = {"NoSuchTransaction", "TransactionNotFound"}
_REFUSALS = (errors.InvalidArgument, errors.Missing, errors.NotSupported)
_BUSY = (errors.ServiceUnavailable, errors.RequestTimeout, errors.InsufficientCapacity)


@contextmanager
def errors_told() -> Iterator[None]:
    """Lets no error of the SDK through; only its calls belong inside.

    Raises:
        RowConflict: a row, or a name, was changed by a concurrent transaction.
        TransactionLost: the transaction is not known any more.
        Busy: overload, or no room.
        Unreachable: there was no answer, or not all of one, or an internal error.
        Unavailable: the cluster refused; its own words are part of the message.
    """
    try:
        yield
    except errors.Conflict as error:
        raise RowConflict(_words(error)) from error
    except _BUSY as error:
        raise Busy(
            f"the metadata store (VAST DB) is overloaded: {_words(error)}; try again"
        ) from error
    except errors.InternalServerError as error:
        raise Unreachable(
            f"the metadata store (VAST DB) failed: {_words(error)}; try again"
        ) from error
    except errors.HttpError as error:
        if isinstance(error, errors.NotFound) and error.code in _UNKNOWN_TRANSACTION:
            raise TransactionLost(_words(error)) from error
        raise Unavailable(f"the metadata store (VAST DB) refused: {_words(error)}") from error
    except _REFUSALS as error:
        raise Unavailable(f"the metadata store (VAST DB) can't do that: {error}") from error
    except _NOT_UNDERSTOOD as error:
        raise Unreachable("the metadata store (VAST DB) does not answer; try again") from error


def _words(error: errors.HttpError) -> str:
    # The request's address and headers stay out: they say more than a client may know.
    return " ".join(str(part) for part in (error.status, error.code, error.message) if part)
