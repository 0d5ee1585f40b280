"""What an operation selects below a field, for resolvers that fetch no more than that."""

from graphql import FieldNode, FragmentSpreadNode, SelectionNode

from tams_graphql.graphql.context import Info


def selected_names(info: Info) -> frozenset[str]:
    """The names of all fields that may be selected below this one, however deep.

    Rather too many than too few: directives are not looked at, nor whose fields they are.
    """
    raw = info._raw_info  # noqa: SLF001 - Strawberry has no cheaper way
    names: set[str] = set()
    spread: set[str] = set()
    left: list[SelectionNode] = [*raw.field_nodes]
    while left:
        node = left.pop()
        if isinstance(node, FragmentSpreadNode):
            name = node.name.value
            if name not in spread:
                spread.add(name)
                left.extend(raw.fragments[name].selection_set.selections)
            continue
        if isinstance(node, FieldNode):
            names.add(node.name.value)
        inner = node.selection_set  # type: ignore[attr-defined]
        if inner is not None:
            left.extend(inner.selections)
    return frozenset(names)
