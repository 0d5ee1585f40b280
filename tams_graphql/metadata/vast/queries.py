"""One query of VAST DB: an AND of conditions on single columns, and no order.

This is all that its predicates can say (an AND of per-column ORs); everything else that a
`Scan` asks for happens on our side.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import and_, ge, gt, le, lt
from typing import Any, Literal, TypeAlias

import pyarrow as pa

from tams_graphql.metadata.engine import Filter, OneOf, Row, Scalar
from tams_graphql.metadata.tables import Table

ROW_ID = "$row_id"
LOWEST, HIGHEST = -(2**63), 2**63 - 1

_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


@dataclass(frozen=True, slots=True)
class Compared:
    """Rows whose `column` is before or after `value`; null never matches."""

    column: str
    operator: Literal["<", "<=", ">", ">="]
    value: Scalar


@dataclass(frozen=True, slots=True)
class Present:
    """Rows whose `column` is not null."""

    column: str


Condition: TypeAlias = OneOf | Compared | Present


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to ask of one table.

    Args:
        table: which table.
        columns: which columns; none: only the number of rows is of interest.
        conditions: all of them must hold.
        cap: having received more rows than this, stop and say that there are more.
        row_ids: whether to ask for the column ``$row_id``, too.
    """

    table: Table
    columns: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()
    cap: int | None = None
    row_ids: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows in no particular order; not `complete`: there are more, and these are any."""

    rows: pa.Table
    complete: bool = True


Select: TypeAlias = Callable[[Query], Answer]


def conditions_of(condition: Filter) -> tuple[Condition, ...]:
    """A filter of the port as conditions."""
    if isinstance(condition, OneOf):
        return (OneOf(condition.column, tuple(dict.fromkeys(condition.values))),)
    at_least = at_edge(condition.column, ">=", condition.at_least)
    below = at_edge(condition.column, "<", condition.below)
    return at_least + below or (Present(condition.column),)


def at_edge(
    column: str, operator: Literal["<", "<=", ">", ">="], value: Scalar
) -> tuple[Condition, ...]:
    """A comparison with `value`; none if it is missing.

    A number that no 64-bit column can hold can't be sent: it becomes the nearest one that can,
    with an operator that keeps the meaning.
    """
    if value is None:
        return ()
    if isinstance(value, int) and not LOWEST <= value <= HIGHEST:
        above_all = value > HIGHEST
        if above_all is (operator in {"<", "<="}):
            return (Present(column),)
        return (Compared(column, "<", LOWEST),)
    return (Compared(column, operator, value),)


def predicate(conditions: Iterable[Condition], columns: Any) -> Any:
    """`conditions` as an expression over `columns`, an ibis table; ``None``: every row."""
    terms = [_term(condition, columns) for condition in conditions]
    return reduce(and_, terms) if terms else None


def _term(condition: Condition, columns: Any) -> Any:
    column = columns[condition.column]
    if isinstance(condition, Present):
        return ~column.isnull()
    if isinstance(condition, Compared):
        return _OPERATORS[condition.operator](column, condition.value)
    values = [value for value in condition.values if value is not None]
    null = column.isnull() if None in condition.values else None
    if not values:
        return null
    same = column.isin(values)
    return same if null is None else null | same


def that_fits(condition: Condition) -> Condition:
    """`condition` without numbers that no 64-bit column can hold."""
    if not isinstance(condition, OneOf):
        return condition
    values = tuple(
        value
        for value in condition.values
        if not isinstance(value, int) or LOWEST <= value <= HIGHEST
    )
    return condition if len(values) == len(condition.values) else OneOf(condition.column, values)


def nothing_matches(conditions: Iterable[Condition]) -> bool:
    """Whether a condition can't hold for any row (an empty list can't be sent, either)."""
    return any(isinstance(one, OneOf) and not one.values for one in conditions)


def matches(row: Row, conditions: Iterable[Condition]) -> bool:
    """Whether `row` passes all of `conditions`, as the store would have it."""
    return all(_passes(row[condition.column], condition) for condition in conditions)


def _passes(value: Any, condition: Condition) -> bool:
    if isinstance(condition, OneOf):
        return value in condition.values
    if value is None or isinstance(condition, Present):
        return value is not None
    return bool(_OPERATORS[condition.operator](value, condition.value))


def schema_of(query: Query) -> pa.Schema:
    """The columns that `query` asks for, without the row ids."""
    return pa.schema([query.table.schema.field(name) for name in query.columns])


def joined(parts: Iterable[pa.Table], schema: pa.Schema) -> pa.Table:
    """`parts` as one table; rows without columns are still counted."""
    return pa.Table.from_batches([b for part in parts for b in part.to_batches()], schema)
