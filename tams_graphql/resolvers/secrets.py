"""The port through which secrets are kept in the index: sealed with a key that is not in it."""

from typing import Protocol

from tams_graphql.model.errors import Unavailable


class SealBroken(Exception):
    """What was sealed can't be opened: with another key, for something else, or damaged."""


class Secrets(Protocol):
    """Seals what must be used again in clear, and recognises what came before."""

    def seal(self, text: str, about: str) -> str:
        """`text` encrypted and authenticated; sealing it again gives another result.

        Args:
            text: the secret.
            about: what it belongs to; it opens for nothing else.
        """

    def open(self, sealed: str, about: str) -> str:
        """The text that `seal` was given.

        Raises:
            SealBroken: it can't be opened.
        """

    def digest(self, *parts: str | None) -> str:
        """Equal for equal `parts`, and of no use to who doesn't have the key."""


class NoSecrets:
    """A server without a key keeps no secrets: each method raises `Unavailable`."""

    def seal(self, text: str, about: str) -> str:
        """Refuse."""
        del text, about
        raise _no_key()

    def open(self, sealed: str, about: str) -> str:
        """Refuse."""
        del sealed, about
        raise _no_key()

    def digest(self, *parts: str | None) -> str:
        """Refuse."""
        del parts
        raise _no_key()


def _no_key() -> Unavailable:
    return Unavailable("this server has no key to keep secrets with")
