"""Flows of one source collect the same sources in the same roles and order.

Spec 8.2, `PUT /flows/{flowId}`: what would bring a flow of the source into conflict is refused, for
the source's own collection is inferred from those of its flows. A flow may leave sources out, or
their roles; in several roles it may collect one if it shares one of them.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from tams_graphql.metadata.engine import Row
from tams_graphql.model.errors import InvalidInput, Problem


def refuse_conflicts(edges: Sequence[Row], siblings: Sequence[Row]) -> None:
    """Refuse the `edges` of a flow that contradict those of its source's other flows.

    Args:
        edges: the rows of COLLECTIONS from the flow, in order.
        siblings: those from the others, flow by flow and in order.

    Raises:
        InvalidInput: rules ``source.role`` and ``source.order``.
    """
    for collector, theirs in groupby(siblings, lambda edge: edge["collector_flow_id"]):
        other = list(theirs)
        problems = [*_role_problems(edges, other), *_order_problems(edges, other)]
        if problems:
            about = f"flow {collector} of the same source"
            raise InvalidInput.of(
                [Problem(field, rule, f"{about} {message}") for field, rule, message in problems]
            )


def _role_problems(edges: Sequence[Row], other: Sequence[Row]) -> Iterator[tuple[str, str, str]]:
    ours, theirs = _roles(edges), _roles(other)
    for source_id, roles in ours.items():
        told = theirs.get(source_id, {})
        if told and roles.keys().isdisjoint(told):
            position = next(iter(roles.values()))
            yield (
                f"flow_collection.{position}.role",
                "source.role",
                f"collects source {source_id} in the role {next(iter(told))!r}",
            )


def _order_problems(edges: Sequence[Row], other: Sequence[Row]) -> Iterator[tuple[str, str, str]]:
    ours, theirs = _positions(edges), _positions(other)
    shared = [source_id for source_id in ours if source_id in theirs]
    wanted = [source_id for source_id in theirs if source_id in ours]
    for source_id, first in zip(shared, wanted, strict=True):
        if source_id != first:
            yield (
                f"flow_collection.{ours[source_id]}.id",
                "source.order",
                f"collects source {first} before source {source_id}",
            )
            return


def _outward(edges: Sequence[Row]) -> Iterator[Row]:
    """Without those within the source: it does not collect itself."""
    return (edge for edge in edges if edge["member_source_id"] != edge["collector_source_id"])


def _roles(edges: Sequence[Row]) -> dict[Any, dict[Any, Any]]:
    """The roles of each source, with the first position of each; no role is none."""
    found: dict[Any, dict[Any, Any]] = {}
    for edge in _outward(edges):
        if edge["role"]:
            found.setdefault(edge["member_source_id"], {}).setdefault(
                edge["role"], edge["position"]
            )
    return found


def _positions(edges: Sequence[Row]) -> dict[Any, Any]:
    """The first position of each source, in order."""
    found: dict[Any, Any] = {}
    for edge in _outward(edges):
        found.setdefault(edge["member_source_id"], edge["position"])
    return found
