"""What a version can't see at all: Sources and Flows of a format that it does not have.

They are 404 with everything below them, in no list and no collection, and can't be collected.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rest_compat.resources import Call
from rest_compat.version_rules import shown_formats, unseen
from tams_graphql.model.errors import InvalidInput, NotFound, Problem
from tams_graphql.model.identifiers import is_uuid
from tams_graphql.model.records import CollectionItem, Flow, Source
from tams_graphql.model.unseen import Unseen
from tams_graphql.model.vocabulary import ContentFormat
from tams_graphql.resolvers.flows import get_flow
from tams_graphql.resolvers.sources import get_source


async def refuse_hidden(call: Call) -> None:
    """Refuse a path below what the version can't see; unknown ids are left to the handler.

    Raises:
        NotFound: it is of a format that the version does not have.
    """
    for kind, name in (("flow", "flowId"), ("source", "sourceId")):
        identifier = call.path.get(name)
        if identifier is not None and await is_hidden(call, kind, identifier):
            raise NotFound(kind, identifier)


async def is_hidden(call: Call, kind: str, identifier: str) -> bool:
    """Whether a ``flow`` or ``source`` exists that the version can't see."""
    formats = shown_formats(call.version)
    return formats is not None and await _format(call, kind, identifier) not in {None, *formats}


async def visible_ids(call: Call, kind: str, ids: Sequence[str]) -> Sequence[str]:
    """Those of `ids` that the version can see."""
    if shown_formats(call.version) is None:
        return ids
    hidden = await asyncio.gather(*(is_hidden(call, kind, one) for one in ids))
    return [one for one, away in zip(ids, hidden, strict=True) if not away]


async def visible_items(
    call: Call, kind: str, items: Sequence[CollectionItem]
) -> tuple[CollectionItem, ...]:
    """Those members of a collection that the version can see."""
    seen = set(await visible_ids(call, kind, [item.id for item in items]))
    return tuple(item for item in items if item.id in seen)


async def visible_flow(call: Call, flow: Flow) -> Flow:
    """The Flow, collecting only what the version can see."""
    if flow.flow_collection is None or shown_formats(call.version) is None:
        return flow
    return replace(flow, flow_collection=await visible_items(call, "flow", flow.flow_collection))


async def unseen_by(call: Call) -> Unseen | None:
    """What the client can't see of the Flow of the path; ``None`` if it sees everything."""
    if shown_formats(call.version) is None:
        return unseen(call.version)
    try:
        flow = await get_flow(call.ctx, call.path["flowId"])
    except NotFound:
        return unseen(call.version, ())
    items = await visible_items(call, "flow", flow.flow_collection or ())
    return unseen(call.version, [item.id for item in items])


async def refuse_hidden_members(call: Call, items: Any) -> None:
    """Refuse to collect what the version can't see, as if it did not exist.

    Raises:
        InvalidInput: a member of the collection `items` is such a Flow.
    """
    if shown_formats(call.version) is None or not isinstance(items, list):
        return
    ids = [item.get("id") if isinstance(item, dict) else None for item in items]
    problems = [
        Problem(f"flow_collection.{index}.id", "not_found", f"flow {one} does not exist")
        for index, one in enumerate(ids)
        if isinstance(one, str) and is_uuid(one) and await is_hidden(call, "flow", one)
    ]
    if problems:
        raise InvalidInput.of(problems)


async def _format(call: Call, kind: str, identifier: str) -> ContentFormat | None:
    read = get_flow if kind == "flow" else get_source
    found: Flow | Source
    try:
        found = await read(call.ctx, identifier)
    except NotFound:
        return None
    return found.format
