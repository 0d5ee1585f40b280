"""What is wrong with a literal or a variable, told with the name of the field it is for."""

import re
from collections.abc import Mapping
from typing import Any

from graphql import (
    ArgumentNode,
    GraphQLError,
    GraphQLInputType,
    ValueNode,
    ValuesOfCorrectTypeRule,
    VariableDefinitionNode,
    VisitorAction,
    specified_rules,
)
from graphql.language import SKIP
from graphql.utilities import validate_input_literal
from graphql.validation.rules import overlapping_fields_can_be_merged
from graphql.validation.validate import ValidationAbortedError

# The library's 500,000 keep the event loop busy for a second; ordinary documents take hundreds.
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = 50_000

_VARIABLE = re.compile(r"Variable '\$(\w+)' has invalid value(?: at ([^ :]+))?: ", re.ASCII)


class LiteralsOfCorrectType(ValuesOfCorrectTypeRule):
    """The specified rule; what scalars of our own refuse is told with its place and field."""

    _field = ""

    def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
        """Remember whose value comes."""
        self._field = node.name.value

    def enter_variable_definition(self, node: VariableDefinitionNode, *_: Any) -> None:
        """Remember whose default comes."""
        self._field = node.variable.name.value

    def is_valid_value_node(
        self, node: ValueNode, input_type: GraphQLInputType | None
    ) -> VisitorAction:
        """Report every error in a literal."""

        def report(error: GraphQLError, path: list[str | int]) -> None:
            field = ".".join(map(str, (self._field, *path)))
            self.report_error(_placed(error, field, node))

        if input_type:
            hidden = self.context.hide_suggestions
            validate_input_literal(node, input_type, report, None, None, hidden)
        return SKIP


RULES = [
    LiteralsOfCorrectType if rule is ValuesOfCorrectTypeRule else rule for rule in specified_rules
]
"""The rules of the GraphQL specification."""


def _placed(error: GraphQLError, field: str, node: ValueNode) -> GraphQLError:
    rule = (error.extensions or {}).get("rule")
    if rule is None:
        return error
    extensions = _told(error, field, rule, error.message)
    return GraphQLError(
        f"{field}: {error.message}", nodes=error.nodes or node, extensions=extensions
    )


def with_field(error: GraphQLError) -> Mapping[str, Any]:
    """The extensions of the refusal of a variable, with the field that it is for."""
    extensions = error.extensions or {}
    found = _VARIABLE.match(error.message)
    if found is None or "rule" not in extensions:
        return extensions
    field = re.sub(r"[.\[\]]+", ".", f"{found[1]}{found[2] or ''}").rstrip(".")
    return _told(error, field, extensions["rule"], error.message[found.end() :])


def _told(error: GraphQLError, field: str, rule: str, message: str) -> dict[str, Any]:
    code = (error.extensions or {})["code"]
    return {"code": code, "problems": [{"field": field, "rule": rule, "message": message}]}


def explained(error: GraphQLError) -> GraphQLError:
    """A validation error with a code, and with a reason if it has none."""
    if isinstance(error, ValidationAbortedError) and error.message == "Validation aborted.":
        message = "the document is too intricate: it repeats or nests too many selections"
        return GraphQLError(message, extensions={"code": "LIMIT_EXCEEDED", "limit": "complexity"})
    error.extensions = {"code": "GRAPHQL_VALIDATION_FAILED", **(error.extensions or {})}
    return error
