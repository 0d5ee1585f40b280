"""What an operation could return at most, as a number of objects.

The page sizes along each path are multiplied, edges and nodes counted once (DECISIONS, "GraphQL
limits"). Values that belong to an object (tags, ranges of a segment, URLs) are free; lists
without pages count as `UNPAGED` says, and what they really hold is charged while the operation
runs (`context.counted`).
"""

from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLSchema,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    Undefined,
    VariableNode,
    get_named_type,
    is_list_type,
    is_non_null_type,
)
from graphql.utilities import value_from_ast_untyped

from tams_graphql.graphql.connections import LISTS, RANGES, SEGMENTS, PageLimits

UNPAGED: Mapping[str, int] = {
    "flowCollection": 10,
    "sourceCollection": 10,
    "collectedBy": 10,
    "copies": 2,
    "getUrls": 2,
    "instances": 2,
    "registered": 100,
    "segments": 100,
}
"""How many members a list without pages is taken to have."""


def fragments_of(ast: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    """The fragments of a document, by name."""
    return {
        node.name.value: node
        for node in ast.definitions
        if isinstance(node, FragmentDefinitionNode)
    }


def operations_of(ast: DocumentNode) -> list[OperationDefinitionNode]:
    """The operations of a document."""
    return [node for node in ast.definitions if isinstance(node, OperationDefinitionNode)]


class Cost:
    """How many objects a valid operation could return."""

    def __init__(
        self,
        schema: GraphQLSchema,
        ast: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
    ) -> None:
        self._schema = schema
        self._fragments = fragments_of(ast)
        self._known: dict[tuple[str, str], int] = {}
        self._variables = {**_defaults(operation), **variables}
        root = schema.get_root_type(OperationType(operation.operation.value))
        self.total = self._selections(root, operation.selection_set.selections)

    def _selections(self, parent: Any, selections: tuple[SelectionNode, ...]) -> int:
        return sum(self._selection(parent, node) for node in selections if self._included(node))

    def _selection(self, parent: Any, node: Any) -> int:
        if isinstance(node, FieldNode):
            return self._field(parent, node)
        if isinstance(node, FragmentSpreadNode):
            return self._fragment(node.name.value)
        condition = node.type_condition
        kind = self._schema.get_type(condition.name.value) if condition else parent
        return self._selections(kind, node.selection_set.selections)

    def _fragment(self, name: str) -> int:
        key = (name, "")
        if key not in self._known:
            fragment = self._fragments[name]
            kind = self._schema.get_type(fragment.type_condition.name.value)
            self._known[key] = self._selections(kind, fragment.selection_set.selections)
        return self._known[key]

    def _field(self, parent: Any, node: FieldNode) -> int:
        field = None if node.name.value.startswith("__") else parent.fields.get(node.name.value)
        if field is None or node.selection_set is None:
            return 0
        kind = get_named_type(field.type)
        inside = self._selections(kind, node.selection_set.selections)
        if parent.name.endswith(("Connection", "Edge")):
            return inside
        many = self._members(field, node)
        if many is not None:
            return many * (1 + inside)
        return inside + _is_object(kind)

    def _members(self, field: GraphQLField, node: FieldNode) -> int | None:
        name = node.name.value
        if "first" in field.args:
            limits = _page_limits(field)
            asked = [self._number(node, argument) for argument in ("first", "last")]
            size = next((number for number in asked if number is not None), limits.default)
            return max(0, min(size, limits.most))
        if name == "nodes":
            return self._length(node, "ids")
        if name in UNPAGED and _is_list(field.type):
            return UNPAGED[name]
        return None

    def _argument(self, node: FieldNode, name: str) -> Any:
        value = next((one.value for one in node.arguments or () if one.name.value == name), None)
        if isinstance(value, VariableNode):
            return self._variables.get(value.name.value)
        if isinstance(value, IntValueNode | ListValueNode):
            return value_from_ast_untyped(value, self._variables)
        return None

    def _number(self, node: FieldNode, name: str) -> int | None:
        value = self._argument(node, name)
        # Variables that are no Int are refused later; 100.0 is one.
        if isinstance(value, float) and value.is_integer():
            return int(value)
        return value if type(value) is int else None

    def _length(self, node: FieldNode, name: str) -> int:
        value = self._argument(node, name)
        return len(value) if isinstance(value, list) else 1

    def _included(self, node: SelectionNode) -> bool:
        for directive in node.directives or ():
            condition = next((one.value for one in directive.arguments or ()), None)
            if isinstance(condition, VariableNode):
                given = self._variables.get(condition.name.value)
            else:
                given = getattr(condition, "value", None)
            if (directive.name.value, given) in {("skip", True), ("include", False)}:
                return False
        return True


def _defaults(operation: OperationDefinitionNode) -> dict[str, Any]:
    found = {}
    for variable in operation.variable_definitions or ():
        if variable.default_value is not None:
            value = value_from_ast_untyped(variable.default_value)
            if value is not Undefined:
                found[variable.variable.name.value] = value
    return found


def _page_limits(field: GraphQLField) -> PageLimits:
    name = get_named_type(field.type).name
    if name == "FlowSegmentConnection":
        return SEGMENTS
    return RANGES if name == "TimelineRange" else LISTS


def _is_list(kind: Any) -> bool:
    return is_list_type(kind.of_type if is_non_null_type(kind) else kind)


def _is_object(kind: Any) -> int:
    return int(any(one.name == "Node" for one in getattr(kind, "interfaces", ())))
