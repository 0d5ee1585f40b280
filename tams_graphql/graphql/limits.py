"""What one operation may ask for, decided before anything runs; parsed and validated once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    Lexer,
    NoSchemaIntrospectionCustomRule,
    SelectionNode,
    Source,
    TokenKind,
    Visitor,
    parse,
    validate,
    visit,
)
from strawberry.extensions import SchemaExtension
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule
from strawberry.types import ExecutionContext

from tams_graphql.graphql.context import limit_exceeded
from tams_graphql.graphql.cost import Cost, fragments_of, operations_of
from tams_graphql.graphql.literals import RULES, explained

_CACHED_DOCUMENTS = 256


@dataclass(frozen=True, slots=True)
class Limits:
    """What one operation may ask for at most (DECISIONS, "GraphQL limits").

    `body_bytes`: of an HTTP request. `tokens` and `characters`: of the GraphQL document.
    `values`: in all variables together, lists and objects included.
    """

    depth: int = 12
    aliases: int = 30
    root_fields: int = 20
    directives: int = 50
    tokens: int = 2000
    characters: int = 30_000
    cost: int = 20_000
    values: int = 100_000
    body_bytes: int = 8 * 1024 * 1024


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed document, and what is wrong with it whatever the variables."""

    ast: DocumentNode | None
    errors: tuple[GraphQLError, ...]


class Prepared(SchemaExtension):
    """Parses and validates each text once, and refuses what exceeds the limits."""

    def __init__(self, limits: Limits, *, introspection: bool) -> None:
        super().__init__()
        self._limits = limits
        self._introspection = introspection
        self._document: Document | None = None

    def on_parse(self) -> Iterator[None]:
        """Take the document from the cache, or parse it."""
        context = self.execution_context
        if context.query is not None and context.graphql_document is None:
            # Before the cache, which must not keep texts of any length.
            _check_length(context.query, self._limits)
            schema = context.schema._schema  # noqa: SLF001 - validation needs graphql-core's own
            self._document = _document(context.query, schema, self._limits, self._introspection)
            if self._document.ast is None:
                raise self._document.errors[0].with_traceback(None)
            context.graphql_document = self._document.ast
        yield

    def on_validate(self) -> Iterator[None]:
        """Report what is wrong with the document, or what it costs too much."""
        context = self.execution_context
        if self._document is not None and self._document.ast is not None:
            schema = context.schema._schema  # noqa: SLF001 - see above
            errors = list(self._document.errors)
            if not errors:
                errors = _unnamed(self._document.ast, context)
            if not errors:
                errors = _value_errors(context.variables or {}, self._limits)
            if not errors:
                errors = _too_costly(schema, self._document.ast, context, self._limits)
            context.pre_execution_errors = errors
        yield


def _check_length(text: str, limits: Limits) -> None:
    if len(text) > limits.characters:
        raise limit_exceeded("characters", len(text), limits.characters)


@lru_cache(maxsize=_CACHED_DOCUMENTS)
def _document(text: str, schema: GraphQLSchema, limits: Limits, introspection: bool) -> Document:
    try:
        ast = parse(text, max_tokens=limits.tokens)
    except GraphQLSyntaxError as error:
        return Document(None, (_syntax_error(text, error, limits),))
    errors = _size_errors(ast, limits)
    if not errors:
        errors = _validation_errors(schema, ast, introspection)
    if not errors:
        errors = _depth_errors(ast, limits)
    return Document(ast, tuple(errors))


def _syntax_error(text: str, error: GraphQLSyntaxError, limits: Limits) -> GraphQLError:
    tokens = _count_tokens(text)
    if tokens > limits.tokens:
        return limit_exceeded("tokens", tokens, limits.tokens)
    return GraphQLError(
        error.message,
        source=error.source,
        positions=error.positions,
        extensions={"code": "GRAPHQL_PARSE_FAILED"},
    )


def _count_tokens(text: str) -> int:
    lexer, count = Lexer(Source(text)), 0
    try:
        while lexer.advance().kind is not TokenKind.EOF:
            count += 1
    except GraphQLSyntaxError:
        return count
    return count


def _validation_errors(
    schema: GraphQLSchema, ast: DocumentNode, introspection: bool
) -> list[GraphQLError]:
    rules: list[Any] = [*RULES, OneOfInputValidationRule]
    if not introspection:
        rules.append(NoSchemaIntrospectionCustomRule)
    found = validate(schema, ast, rules, hide_suggestions=not introspection)
    return [explained(error) for error in found]


class _Size(Visitor):
    """Counts what a document has, used or not."""

    def __init__(self) -> None:
        super().__init__()
        self.aliases = 0
        self.directives = 0

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        self.aliases += node.alias is not None

    def enter_directive(self, *_: Any) -> None:
        self.directives += 1


def _size_errors(ast: DocumentNode, limits: Limits) -> list[GraphQLError]:
    size = _Size()
    visit(ast, size)
    fragments = fragments_of(ast)
    roots = max(
        (
            _count_roots(node.selection_set.selections, fragments, set())
            for node in operations_of(ast)
        ),
        default=0,
    )
    measured = (
        ("aliases", size.aliases, limits.aliases),
        ("directives", size.directives, limits.directives),
        ("rootFields", roots, limits.root_fields),
    )
    return [limit_exceeded(*one) for one in measured if one[1] > one[2]]


def _count_roots(
    selections: tuple[SelectionNode, ...],
    fragments: Mapping[str, FragmentDefinitionNode],
    seen: set[str],
) -> int:
    count = 0
    for node in selections:
        if isinstance(node, FieldNode):
            count += 1
        elif isinstance(node, FragmentSpreadNode):
            # Runs before validation, so fragments may be unknown or cyclic. One that is spread
            # again adds no field: equal response names merge.
            name = node.name.value
            if name in fragments and name not in seen:
                seen.add(name)
                inner = fragments[name].selection_set.selections
                count += _count_roots(inner, fragments, seen)
        else:
            count += _count_roots(node.selection_set.selections, fragments, seen)  # type: ignore[attr-defined]
    return count


def _depth_errors(ast: DocumentNode, limits: Limits) -> list[GraphQLError]:
    fragments, known = fragments_of(ast), dict[str, int]()

    def depth(selections: tuple[SelectionNode, ...]) -> int:
        return max((below(node) for node in selections), default=0)

    def below(node: Any) -> int:
        if isinstance(node, FieldNode):
            if node.name.value.startswith("__") or node.selection_set is None:
                return int(not node.name.value.startswith("__"))
            return 1 + depth(node.selection_set.selections)
        if isinstance(node, FragmentSpreadNode):
            name = node.name.value
            if name not in known:
                known[name] = depth(fragments[name].selection_set.selections)
            return known[name]
        return depth(node.selection_set.selections)

    deepest = max((depth(node.selection_set.selections) for node in operations_of(ast)), default=0)
    return [limit_exceeded("depth", deepest, limits.depth)] if deepest > limits.depth else []


def _unnamed(ast: DocumentNode, context: ExecutionContext) -> list[GraphQLError]:
    """Strawberry would run the first of several operations; the GraphQL spec refuses to guess."""
    if len(operations_of(ast)) == 1 or context._provided_operation_name is not None:  # noqa: SLF001
        return []
    return [
        GraphQLError(
            "operationName is required: the document has several operations",
            extensions={"code": "OPERATION_RESOLUTION_FAILURE"},
        )
    ]


def _value_errors(variables: Mapping[str, Any], limits: Limits) -> list[GraphQLError]:
    """Whoever sends many values makes the event loop convert them all in one go."""
    count, waiting = 0, [iter(variables.values())]
    while waiting:
        for value in waiting.pop():
            count += 1
            if isinstance(value, dict):
                waiting.append(iter(value.values()))
            elif isinstance(value, list):
                waiting.append(iter(value))
    return [limit_exceeded("values", count, limits.values)] if count > limits.values else []


def _too_costly(
    schema: GraphQLSchema, ast: DocumentNode, context: ExecutionContext, limits: Limits
) -> list[GraphQLError]:
    name = context.operation_name
    operation = next(
        (
            one
            for one in operations_of(ast)
            if name is None or (one.name and one.name.value == name)
        ),
        None,
    )
    if operation is None:
        return []
    cost = Cost(schema, ast, operation, context.variables or {}).total
    return [limit_exceeded("cost", cost, limits.cost)] if cost > limits.cost else []
