"""How far somebody has read the event log: the last sequence seen of each lane.

Outside the process a position is a cursor, which also names the log that it belongs to: text
that clients keep and give back, and that they need not understand.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, TypeAlias

import orjson

from tams_graphql.model.errors import InvalidInput

Position: TypeAlias = Mapping[int, int]
"""Sequences by lane; a lane that is missing has not been read at all."""

START: Position = {}

_VERSION = 1
_MOST = 2**63


def later_of(one: Position, other: Position) -> Position:
    """What was read by somebody who has read up to both."""
    if all(sequence <= one.get(lane, 0) for lane, sequence in other.items()):
        return one
    return {lane: max(one.get(lane, 0), other.get(lane, 0)) for lane in one.keys() | other.keys()}


def encode_position(log_id: str, position: Position) -> str:
    """`position` as a cursor."""
    lanes = [[lane, position[lane]] for lane in sorted(position)]
    return base64.urlsafe_b64encode(orjson.dumps([_VERSION, log_id, lanes])).rstrip(b"=").decode()


def decode_position(log_id: str, cursor: str, field: str) -> Position:
    """The position that `encode_position` was given.

    Args:
        log_id: the log that the cursor must have come from.
        cursor: what the client sent.
        field: the name of the client's argument, for the error.

    Raises:
        InvalidInput: it is no cursor, or one of another log.
    """
    try:
        padded = cursor.encode() + b"=" * (-len(cursor) % 4)
        value = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise _malformed(field) from error
    if not isinstance(value, list) or len(value) != 3 or value[0] != _VERSION:
        raise _malformed(field)
    if value[1] != log_id:
        raise InvalidInput(field, "cursor.foreign", "the cursor belongs to another event log")
    return _lanes(value[2], field)


def _lanes(value: Any, field: str) -> Position:
    if not isinstance(value, list) or not all(map(_is_lane, value)):
        raise _malformed(field)
    return {lane: sequence for lane, sequence in value}  # noqa: C416 - lists of two, not pairs


def _is_lane(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(type(number) is int and 0 <= number < _MOST for number in value)
    )


def _malformed(field: str) -> InvalidInput:
    return InvalidInput(field, "cursor.malformed", "not a cursor of an event")
