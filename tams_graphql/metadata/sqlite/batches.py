"""Many rows in one statement: how many placeholders it has, and what fills those left over.

The sqlite3 module takes the interpreter lock again after every row and every statement. Beside
a busy event loop each such turn can wait for 5 ms, so a thousand small steps would take
seconds where one statement takes a millisecond. Everything here has few sizes, so that few
statements are compiled and all stay cached.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TypeAlias

from tams_graphql.metadata.engine import Scalar

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
MOST = SIZES[-1]

Values: TypeAlias = list[Scalar]


def padded(rows: Sequence[Sequence[Scalar]], most: int = MOST) -> Iterator[tuple[int, Values]]:
    """`rows` in batches of at most `most`: how many rows of placeholders, and their values.

    The values are in sequence. The last batch is filled up with nulls, which no key equals.
    """
    for first in range(0, len(rows), most):
        part = rows[first : first + most]
        size = next(size for size in SIZES if size >= len(part))
        missing = (size - len(part)) * len(part[0])
        yield size, [*chain.from_iterable(part), *[None] * missing]


def exact(rows: Sequence[Sequence[Scalar]]) -> Iterator[tuple[int, Values]]:
    """`rows` in batches of sizes that add up, for statements where a null would count."""
    first = 0
    while first < len(rows):
        size = next(size for size in reversed(SIZES) if size <= len(rows) - first)
        yield size, list(chain.from_iterable(rows[first : first + size]))
        first += size


def places(rows: int, width: int) -> str:
    """``(?, ?), (?, ?)``: `rows` rows of `width` placeholders."""
    return ", ".join([f"({', '.join('?' * width)})"] * rows)
