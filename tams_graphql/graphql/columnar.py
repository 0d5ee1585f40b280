"""Lists of flat objects straight from columns: one conversion a column, no call a field.

Stock execution costs some 4 µs a field (FACTS); a page of a thousand segments with their URLs
has ten thousand fields. Steps, for a list whose value is `Columns`:

1. collect the requested sub-fields as stock execution does (fragments, aliases, directives);
2. ask the value for a column per sub-field, converting each argument list once;
3. check each column against its GraphQL type: null, string, Int range;
4. zip the columns to dictionaries.

Whatever step fails to prove falls back to stock execution, which iterates the same value and
thus reports errors as always. The hooks are private API of graphql-core: the version is pinned
and `tests/graphql/test_columnar.py` compares both paths.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import Any, ClassVar, TypeAlias

from graphql import (
    GraphQLBoolean,
    GraphQLError,
    GraphQLField,
    GraphQLID,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLString,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.values import get_argument_values
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import convert_arguments

from tams_graphql.model.errors import MediaStoreError

Selection: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Leaves:
    """A column of scalars as the response shows them, but for null and Int range."""

    values: list[Any]


@dataclass(frozen=True, slots=True)
class Objects:
    """A column of flat objects: `rows` holds those of the `present` rows, in order."""

    rows: "Columns"
    present: list[bool] | None = None


@dataclass(frozen=True, slots=True)
class Lists:
    """A column of lists of flat objects: `rows` holds all of them, `lengths` says whose."""

    rows: "Columns"
    lengths: list[int]


Column: TypeAlias = Leaves | Objects | Lists


class Columns(ABC):
    """A list of objects of one GraphQL type, held as columns.

    Iterating gives the objects one by one, for stock execution.
    """

    type_name: ClassVar[str]

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __iter__(self) -> Iterator[Any]: ...

    @abstractmethod
    def column(
        self, name: str, arguments: Mapping[str, Any], wanted: frozenset[str]
    ) -> Column | None:
        """The column of the field `name`, or ``None``: not a column, resolve it row by row.

        Args:
            name: as in the GraphQL schema.
            arguments: converted as for a Python resolver.
            wanted: names of the sub-fields that are selected.
        """


class _NotProven(Exception):
    """Stock execution has to do it."""


class ColumnarExecutor(StrawberryGraphQLCoreExecutionContext):
    """Stock execution, but for lists that come as `Columns`; each event has its own context."""

    def build_per_event_executor(self, payload: Any) -> Any:
        """For one event of a subscription, which must not see what an earlier one has read."""
        executor = super().build_per_event_executor(payload)
        executor.context_value = self.context_value.renewed()
        # Shared with the operation, it would keep what was collected for each event.
        executor._relevant_sub_fields = {}  # noqa: SLF001 - see above
        return executor

    def complete_list_value(  # noqa: PLR0917 - graphql-core's signature
        self,
        return_type: GraphQLList[Any],
        field_details_list: Any,
        info: Any,
        path: Any,
        result: Any,
        position_context: Any,
    ) -> Any:
        """Complete a list, columnwise if that is proven to be the same."""
        if isinstance(result, Columns) and not self._has_middleware():
            try:
                return self._rows(return_type.of_type, field_details_list, result)
            except (_NotProven, GraphQLError, MediaStoreError):
                pass
        return super().complete_list_value(
            return_type, field_details_list, info, path, result, position_context
        )

    def _has_middleware(self) -> bool:
        return bool(self.middleware_manager and self.middleware_manager.middlewares)

    def _rows(self, item_type: Any, details: Any, rows: Columns) -> list[dict[str, Any]]:
        kind = item_type.of_type if is_non_null_type(item_type) else item_type
        if not is_object_type(kind) or kind.name != rows.type_name:
            raise _NotProven
        selected = self.collect_subfields(kind, details)
        if selected.new_defer_usages:
            raise _NotProven
        names = list(selected.grouped_field_set)
        columns = [self._column(kind, field, rows) for field in selected.grouped_field_set.values()]
        if not columns:
            raise _NotProven
        # By `map`: a comprehension takes twice as long, which is a fifth of a flat list's time.
        return list(map(dict, map(zip, repeat(names), zip(*columns, strict=True))))

    def _column(self, parent: GraphQLObjectType, details: Any, rows: Columns) -> list[Any]:
        name = details[0].node.name.value
        if name == "__typename":
            return [parent.name] * len(rows)
        field = self.schema.get_field(parent, name)
        if field is None:
            raise _NotProven
        arguments = self._arguments(field, details[0])
        column = rows.column(name, arguments, self._wanted(field, details))
        if column is None:
            raise _NotProven
        values = self._values(_nullable(field.type), details, column)
        if is_non_null_type(field.type) and None in values:
            raise _NotProven
        return values

    def _arguments(self, field: GraphQLField, first: Any) -> Mapping[str, Any]:
        if not field.args:
            return {}
        given = get_argument_values(
            field,
            first.node,
            self.variable_values,
            first.fragment_variable_values,
            self.hide_suggestions,
        )
        strawberry_field = field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
        converter = strawberry_schema(self.schema).schema_converter
        return convert_arguments(
            given, strawberry_field.arguments, converter.scalar_registry, converter.config
        )

    def _wanted(self, field: GraphQLField, details: Any) -> frozenset[str]:
        kind = _item(field.type)
        if not is_object_type(kind):
            return frozenset()
        fields = self.collect_subfields(kind, details).grouped_field_set.values()
        return frozenset(group[0].node.name.value for group in fields)

    def _values(self, kind: Any, details: Any, column: Column) -> list[Any]:
        if isinstance(column, Leaves) and is_leaf_type(kind):
            return _checked(kind, column.values)
        if isinstance(column, Objects):
            found = iter(self._rows(kind, details, column.rows))
            if column.present is None:
                return list(found)
            return [next(found) if present else None for present in column.present]
        if isinstance(column, Lists) and is_list_type(kind):
            return _split(self._rows(kind.of_type, details, column.rows), column.lengths)
        raise _NotProven


class DiscreetExecutor(ColumnarExecutor):
    """Suggests nothing from the schema when a variable does not fit."""

    @classmethod
    def build(cls, *given: Any, **named: Any) -> Any:
        """Build without suggestions."""
        return super().build(*given, **(named | {"hide_suggestions": True}))


def strawberry_schema(schema: Any) -> Any:
    """The Strawberry schema that a graphql-core schema was made from."""
    return schema.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]


def _nullable(kind: Any) -> Any:
    return kind.of_type if isinstance(kind, GraphQLNonNull) else kind


def _item(kind: Any) -> Any:
    while is_non_null_type(kind) or is_list_type(kind):
        kind = kind.of_type
    return kind


def _split(items: list[Any], lengths: list[int]) -> list[list[Any]]:
    found, start = [], 0
    for length in lengths:
        found.append(items[start : start + length])
        start += length
    return found


_PLAIN: Mapping[GraphQLScalarType, set[type]] = {
    GraphQLString: {str, type(None)},
    GraphQLID: {str, type(None)},
    GraphQLBoolean: {bool, type(None)},
    GraphQLInt: {int, type(None)},
}


def _checked(kind: Any, values: list[Any]) -> list[Any]:
    """The values, if stock execution would write each of them as it is."""
    # Scalars of our own arrive written; `Columns` answers for that.
    if not set(map(type, values)) <= _PLAIN.get(kind, {str, type(None)}):
        raise _NotProven
    if kind is GraphQLInt:
        numbers = [value for value in values if value is not None]
        if numbers and not (min(numbers) >= -(2**31) and max(numbers) < 2**31):
            raise _NotProven
    return values
