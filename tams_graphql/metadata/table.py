"""What a table of the index is, whatever engine keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """One table: `key` is the primary sort order and unique; `orders` are further ones.

    `interval` names the (start, end) columns of a table whose rows never overlap within one
    prefix of the key; only such a table can be asked for rows `overlapping` a range.
    """

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    orders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    interval: tuple[str, str] | None = None

    def order(self, name: str) -> tuple[str, ...]:
        """The columns of the sort order `name` (``"key"`` is the primary one)."""
        return self.key if name == "key" else self.orders[name]

    @property
    def columns(self) -> tuple[str, ...]:
        """All column names, in schema order."""
        return tuple(self.schema.names)


def table_schema(
    *,
    text: str = "",
    number: str = "",
    flag: str = "",
    required: str = "",
    late_text: str = "",
    late_number: str = "",
) -> pa.Schema:
    """The schema of columns named in texts with blanks between.

    `required` ones are not null; `late` ones come last, as where a migration adds them.
    """
    needed = set(required.split())
    kinds = (
        (text, pa.string()),
        (number, pa.int64()),
        (flag, pa.bool_()),
        (late_text, pa.string()),
        (late_number, pa.int64()),
    )
    return pa.schema(
        [
            pa.field(name, kind, nullable=name not in needed)
            for names, kind in kinds
            for name in names.split()
        ]
    )
