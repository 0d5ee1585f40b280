"""Profiles: technical metadata that flows take over. They never change and never go."""

import uuid
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import orjson

from tams_graphql.metadata import engine, tables
from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Changes, Filter, OneOf, Row, View
from tams_graphql.model.errors import InvalidInput, NotFound
from tams_graphql.model.flow_input import named_profile
from tams_graphql.model.identifiers import known_form
from tams_graphql.model.profile_input import profile_input
from tams_graphql.model.records import Profile
from tams_graphql.resolvers.authorise import Action, authorise
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.filters import ProfileFilter
from tams_graphql.resolvers.listing import Listing, count_all, list_page
from tams_graphql.resolvers.narrowing import common, labelled
from tams_graphql.resolvers.paging import Page, PageRequest
from tams_graphql.resolvers.row_values import json_text, label_order


async def get_profile(ctx: Context, profile_id: str) -> Profile:
    """One Profile, through the request's dataloader.

    Raises:
        NotFound: no such profile.
    """
    authorise(ctx, Action.READ, "profile", profile_id)
    known_form("profile", profile_id)
    profile = await ctx.loaders.load("profile", partial(_load_profiles, ctx), profile_id)
    if profile is None:
        raise NotFound("profile", profile_id)
    return profile


async def list_profiles(ctx: Context, filters: ProfileFilter, page: PageRequest) -> Page[Profile]:
    """A page of Profiles by label; those without one by id after the others."""
    authorise(ctx, Action.READ, "profile")
    return await list_page(ctx.metadata, await _listing(ctx, filters), page)


async def count_profiles(ctx: Context, filters: ProfileFilter) -> int:
    """How many Profiles match; costs a scan."""
    authorise(ctx, Action.READ, "profile")
    return await count_all(ctx.metadata, await _listing(ctx, filters))


async def create_profile(ctx: Context, profile_id: str, body: Mapping[str, Any]) -> Profile:
    """Create a Profile from the JSON body of spec 8.2 `profile.json`.

    Raises:
        NotFound: the body's id differs from `profile_id`, or `profile_id` is malformed.
        InvalidInput: the body breaks the schema or a rule; every problem is named. Or the
            profile exists: they are immutable, tags included.
    """
    authorise(ctx, Action.WRITE, "profile", profile_id)
    known_form("profile", profile_id)
    given = profile_input(body)
    if given.id != profile_id:
        raise NotFound("profile", profile_id)
    profile = Profile(
        id=given.id,
        incarnation=str(uuid.uuid4()),
        label=given.label,
        description=given.description,
        created_by=ctx.principal.name if given.created_by is None else given.created_by,
        created_us=ctx.clock(),
        tags=given.tags,
        flow_metadata=given.flow_metadata,
    )

    def command(view: View) -> Changes[Profile]:
        if view.get(tables.PROFILES, [(profile_id,)], ("profile_id",)).num_rows:
            message = f"profile {profile_id} exists already, and profiles never change"
            raise InvalidInput("id", "profile.exists", message)
        edits = Edits()
        edits.insert(tables.PROFILES, _row(profile))
        return edits.changes(profile)

    created = await ctx.metadata.commit(command, [engine.creation("profile", profile_id)])
    ctx.loaders.forget()
    return created


async def named_profiles(ctx: Context, body: Any) -> dict[str, Mapping[str, Any]]:
    """The technical metadata of the profile that the body of a flow names, by its id.

    Nothing, if it names none or one that does not exist. To be read before a command is fine:
    profiles never change.

    Raises:
        InvalidInput: what the body has as ``profile_id`` is no id.
    """
    profile_id = named_profile(body)
    if profile_id is None:
        return {}
    authorise(ctx, Action.READ, "profile", profile_id)
    found = await _load_profiles(ctx, [profile_id])
    return {one.id: one.flow_metadata for one in found if one is not None}


async def _listing(ctx: Context, filters: ProfileFilter) -> Listing[Profile]:
    given = {"format": filters.format, "codec": filters.codec, "label": filters.label}
    where: list[Filter] = [
        OneOf(name, (value,)) for name, value in given.items() if value is not None
    ]
    sets = []
    if filters.label is not None:
        sets = await labelled(ctx.metadata, tables.PROFILES, filters.label)
    return Listing(
        name="profiles",
        table=tables.PROFILES,
        order="label",
        descending=False,
        read=_profile,
        where=tuple(where),
        candidates=common(sets),
    )


async def _load_profiles(ctx: Context, profile_ids: Sequence[str]) -> list[Profile | None]:
    rows = await ctx.metadata.get(tables.PROFILES, [(one,) for one in profile_ids])
    found = {row["profile_id"]: _profile(row) for row in rows.to_pylist()}
    return [found.get(profile_id) for profile_id in profile_ids]


def _profile(row: Mapping[str, Any]) -> Profile:
    return Profile(
        id=row["profile_id"],
        incarnation=row["incarnation"],
        label=row["label"],
        description=row["description"],
        created_by=row["created_by"],
        created_us=row["created_us"],
        tags=orjson.loads(row["tags_json"]),
        flow_metadata=orjson.loads(row["flow_metadata_json"]),
    )


def _row(profile: Profile) -> Row:
    return {
        "profile_id": profile.id,
        "incarnation": profile.incarnation,
        "label": profile.label,
        "label_order": label_order(profile.label),
        "description": profile.description,
        "created_by": profile.created_by,
        "format": profile.format.value,
        "codec": profile.flow_metadata["codec"],
        "tags_json": json_text(profile.tags),
        "flow_metadata_json": json_text(profile.flow_metadata),
        "created_us": profile.created_us,
    }
