"""The little of FlatBuffers that VAST's messages need: tables read and written by slot number.

Written without the SDK's generated classes on purpose, so that a misreading of the format by
either side shows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
from flatbuffers import encode
from flatbuffers import number_types as numbers
from flatbuffers.table import Table as RawTable  # type: ignore[import-untyped]


@dataclass(frozen=True)
class View:
    """A table in a message that was received."""

    raw: Any

    @classmethod
    def root(cls, data: bytes) -> "View":
        """The outermost table."""
        return cls(
            RawTable(bytearray(data), encode.Get(numbers.UOffsetTFlags.packer_type, data, 0))
        )

    def _offset(self, slot: int) -> int:
        return int(self.raw.Offset(4 + 2 * slot))

    def number(self, slot: int, kind: Any, default: Any = 0) -> Any:
        """A scalar; absent means the default."""
        at = self._offset(slot)
        return self.raw.Get(kind, at + self.raw.Pos) if at else default

    def octets(self, slot: int) -> bytes:
        """A string or a vector of bytes."""
        at = self._offset(slot)
        if not at:
            return b""
        start, length = self.raw.Vector(at), self.raw.VectorLen(at)
        return bytes(self.raw.Bytes[start : start + length])

    def text(self, slot: int) -> str:
        """A string that is UTF-8."""
        return self.octets(slot).decode()

    def table(self, slot: int) -> "View | None":
        """A table (or a union's)."""
        at = self._offset(slot)
        return View(RawTable(self.raw.Bytes, self.raw.Indirect(at + self.raw.Pos))) if at else None

    def tables(self, slot: int) -> Iterator["View"]:
        """A vector of tables."""
        at = self._offset(slot)
        if at:
            start = self.raw.Vector(at)
            for number in range(self.raw.VectorLen(at)):
                yield View(RawTable(self.raw.Bytes, self.raw.Indirect(start + 4 * number)))


@dataclass(frozen=True)
class Slot:
    """A scalar to write: `kind` is the builder's name for it, like `Uint64`."""

    kind: str
    value: int | float | bool


Value = str | Slot | Sequence[dict[int, Any]]


def _offset_of(builder: Any, value: Value) -> int | None:
    if isinstance(value, Slot):
        return None
    if isinstance(value, str):
        return int(builder.CreateString(value))
    offsets = [_write(builder, one) for one in value]
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _write(builder: Any, table: dict[int, Value]) -> int:
    offsets = {slot: _offset_of(builder, value) for slot, value in table.items()}
    builder.StartObject(max(table) + 1)
    for slot, value in table.items():
        if isinstance(value, Slot):
            getattr(builder, f"Prepend{value.kind}Slot")(slot, value.value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(slot, offsets[slot], 0)
    return int(builder.EndObject())


def message(table: dict[int, Value]) -> bytes:
    """A message whose root has these slots."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(_write(builder, table))
    return bytes(builder.Output())
