"""What sources collect: inferred from the edges between their flows."""

from collections.abc import Mapping, Sequence
from typing import Any

from tams_graphql.model.records import CollectionItem


def inferred_collection(
    source_id: str, edges: Sequence[Mapping[str, Any]]
) -> tuple[CollectionItem, ...]:
    """What the source collects by `edges`, rows of COLLECTIONS from its flows.

    Members come in the order of their positions, those of several flows side by side; one that
    several flows collect comes once, with the first role given to it. A source never collects
    itself.
    """
    items: dict[str, CollectionItem] = {}
    for edge in sorted(edges, key=lambda e: (e["position"], e["collector_flow_id"])):
        member, role = edge["member_source_id"], edge["role"]
        known = items.get(member)
        if member != source_id and (known is None or known.role is None):
            items[member] = CollectionItem(id=member, role=role)
    return tuple(items.values())
