"""What the SDK's errors mean to a transaction: over, in doubt, or ours to answer for."""

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import requests
import urllib3
from vastdb import errors

from tams_graphql.model.errors import Unavailable


class RowConflict(Exception):
    """A concurrent transaction has the row; nothing of this one will be stored. Run it again."""


class TransactionLost(Exception):
    """The cluster no longer knows the transaction (it idled too long). Run it again."""


class Unreachable(Unavailable):
    """No answer: what the request was to do may have been done or not."""


_NO_ANSWER = (
    errors.ConnectionError,
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,
    ConnectionError,
    TimeoutError,
    EOFError,
)
_OTHER_REFUSALS = (errors.InvalidArgument, errors.NotSupported)
_BUSY = (errors.ServiceUnavailable, errors.RequestTimeout, errors.InsufficientCapacity)


@contextmanager
def errors_told() -> Iterator[None]:
    """Lets no error of the SDK through.

    Raises:
        RowConflict: a row, or a name, was changed by a concurrent transaction.
        TransactionLost: the transaction is not known any more.
        Unreachable: there was no answer, or not all of one.
        Unavailable: the cluster refused; its own words are part of the message.
    """
    try:
        yield
    except errors.Conflict as error:
        raise RowConflict(_words(error)) from error
    except errors.NotFound as error:
        if error.code in {"NoSuchTransaction", "TransactionNotFound"}:
            raise TransactionLost(_words(error)) from error
        raise Unavailable(
            f"the metadata store (VAST DB) lacks something: {_words(error)}"
        ) from error
    except _BUSY as error:
        raise Unavailable(
            f"the metadata store (VAST DB) is overloaded: {_words(error)}; try again"
        ) from error
    except errors.HttpError as error:
        raise Unavailable(f"the metadata store (VAST DB) refused: {_words(error)}") from error
    except _OTHER_REFUSALS as error:
        raise Unavailable(f"the metadata store (VAST DB) can't do that: {error}") from error
    except (*_NO_ANSWER, pa.ArrowInvalid) as error:
        raise Unreachable("the metadata store (VAST DB) does not answer; try again") from error


def _words(error: errors.HttpError) -> str:
    # The request's address and headers stay out: they say more than a client may know.
    return " ".join(str(part) for part in (error.status, error.code, error.message) if part)
