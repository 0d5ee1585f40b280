"""Listings against a naive model: every filter, both directions, any page size.

Pages joined are the whole, full while more follows, without a row skipped or repeated; it
makes no difference whether a filter starts from an index or from a walk.
"""

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tams_graphql.media.store import MediaStores
from tams_graphql.metadata.engine import MetadataEngine, Scan
from tams_graphql.model.records import Flow, Source
from tams_graphql.model.vocabulary import ContentFormat, FlowSort, FlowStatus, SourceSort
from tams_graphql.resolvers import flow_listing, listing, narrowing, reading
from tams_graphql.resolvers.context import Context, Service
from tams_graphql.resolvers.filters import FlowFilter, SourceFilter, TagFilter
from tams_graphql.resolvers.flows import count_flows, list_flows, put_flow, set_flow_tag
from tams_graphql.resolvers.paging import Page, PageRequest
from tams_graphql.resolvers.segments import register_segments
from tams_graphql.resolvers.sources import (
    count_sources,
    list_sources,
    set_source_property,
    set_source_tag,
)
from tams_graphql.timeline import ETERNITY, NEVER, TimeRange
from tests.metadata.vast_shaped import VastShapedEngine
from tests.resolvers.conftest import audio, fresh, uuid4, video
from tests.support.engines import open_engine

TAG_NAMES = ["a", "b,c/ü", ""]
TAG_VALUES = ["x", "y", ""]
LABELS = [None, "", "a", "b", "B", "ä"]


@dataclass(frozen=True)
class Shot:
    """A flow of the story: 1 s segments begin at `seconds`; it collects shots before it."""

    number: int
    source: int
    kind: str
    tick: int
    label: str | None
    tags: Mapping[str, Any]
    seconds: frozenset[int]
    members: tuple[int, ...]
    width: int
    init: bool | None
    status: str | None

    @property
    def body(self) -> dict[str, Any]:
        make = video if self.kind == "video" else audio
        body = make(uuid4(self.number), uuid4(self.source), tags=self.tags)
        essence = dict(body["essence_parameters"])
        if self.kind == "video":
            essence["frame_width"] = self.width
        if self.init is not None:
            essence["init_segments"] = self.init
        given = {"label": self.label, "status": self.status}
        collection = [{"id": uuid4(member)} for member in self.members]
        body |= {"essence_parameters": essence, "flow_collection": collection}
        return body | {name: value for name, value in given.items() if value is not None}


tags = st.dictionaries(
    st.sampled_from(TAG_NAMES),
    st.sampled_from(TAG_VALUES) | st.lists(st.sampled_from(TAG_VALUES), max_size=2),
    max_size=2,
)


def members(shots: list[Shot]) -> st.SearchStrategy[tuple[int, ...]]:
    """Up to two of `shots`, by their sources: flows of one source must agree about the order."""
    chosen = st.frozensets(st.sampled_from([(one.source, one.number) for one in shots]), max_size=2)
    return chosen.map(lambda found: tuple(number for _, number in sorted(found)))


@st.composite
def stories(draw: st.DrawFn) -> list[Shot]:
    """Up to ten flows of three video and two audio sources; creation times coincide."""
    shots: list[Shot] = []
    for number in range(1, draw(st.integers(0, 10)) + 1):
        source = draw(st.integers(101, 105))
        shot = Shot(
            number=number,
            source=source,
            kind="video" if source < 104 else "audio",
            tick=draw(st.integers(1, 3)),
            label=draw(st.sampled_from(LABELS)),
            tags=draw(tags),
            seconds=draw(st.frozensets(st.integers(0, 5), max_size=2)),
            members=draw(members(shots)) if shots else (),
            width=draw(st.sampled_from([640, 1920])),
            init=draw(st.sampled_from([None, False, True])),
            status=draw(st.sampled_from([None, "ingesting"])),
        )
        # Flows with initialisation segments would need them in every segment.
        shots.append(replace(shot, seconds=frozenset()) if shot.init else shot)
    return shots


tag_filters = st.builds(
    TagFilter,
    st.sampled_from(TAG_NAMES),
    any_of=st.lists(st.sampled_from(TAG_VALUES), min_size=1, max_size=2).map(tuple),
) | st.builds(TagFilter, st.sampled_from(TAG_NAMES), exists=st.booleans())
tag_lists = st.lists(tag_filters, max_size=2).map(tuple)


def maybe(values: list[Any]) -> st.SearchStrategy[Any]:
    return st.none() | st.sampled_from(values)


TIMERANGES = [
    ETERNITY, NEVER, TimeRange(0, 10**9), TimeRange(10**9, 3 * 10**9), TimeRange(None, 1),
    TimeRange(4 * 10**9, None), TimeRange.instant(2 * 10**9 - 1),
]  # fmt: skip
flow_filters = st.builds(
    FlowFilter,
    source_id=maybe([uuid4(101), uuid4(104), uuid4(999)]),
    timerange=maybe(TIMERANGES),
    format=maybe([ContentFormat.VIDEO, ContentFormat.AUDIO]),
    codec=maybe(["video/h264", "audio/aac"]),
    container=maybe(["video/mp2t", "x/y"]),
    label=maybe(["", "a", "missing"]),
    status=maybe([FlowStatus.INGESTING, FlowStatus.CLOSED_COMPLETE]),
    frame_width=maybe([640]),
    init_segments=st.none() | st.booleans(),
    tags=tag_lists,
    collected_by=st.none()
    | st.lists(st.integers(1, 10).map(uuid4), max_size=2, unique=True).map(tuple),
    sort=st.sampled_from(FlowSort),
)
source_filters = st.builds(
    SourceFilter,
    label=maybe(["", "a", "missing"]),
    format=maybe([ContentFormat.VIDEO, ContentFormat.AUDIO]),
    tags=tag_lists,
    collected_by=st.none()
    | st.lists(st.integers(101, 105).map(uuid4), max_size=2, unique=True).map(tuple),
    sort=st.sampled_from(SourceSort),
)


def tags_match(found: Mapping[str, Any], filters: tuple[TagFilter, ...]) -> bool:
    for one in filters:
        values = found.get(one.name)
        if one.exists is not None and one.exists != (values is not None):
            return False
        listed = [values] if isinstance(values, str) else values or []
        if one.any_of is not None and not any(value in one.any_of for value in listed):
            return False
    return True


def in_timerange(shot: Shot, timerange: TimeRange | None) -> bool:
    if timerange is None or timerange == ETERNITY:
        return True
    if timerange.is_empty:
        return not shot.seconds
    return any(timerange.overlaps(TimeRange(s * 10**9, (s + 1) * 10**9)) for s in shot.seconds)


def flow_matches(story: list[Shot], shot: Shot, wanted: FlowFilter) -> bool:
    collectors = {uuid4(other.number) for other in story if shot.number in other.members}
    essence = shot.body["essence_parameters"]
    by = wanted.collected_by
    return (
        wanted.source_id in (None, uuid4(shot.source))
        and in_timerange(shot, wanted.timerange)
        and wanted.format in (None, ContentFormat(shot.body["format"]))
        and wanted.codec in (None, shot.body["codec"])
        and wanted.container in (None, shot.body["container"])
        and wanted.label in (None, shot.label)
        and wanted.status in (None, shot.status)
        and wanted.frame_width in (None, essence.get("frame_width"))
        and wanted.init_segments in (None, bool(shot.init))
        and tags_match(shot.tags, wanted.tags)
        and (by is None or (bool(collectors & set(by)) if by else not collectors))
    )


def ordered(items: list[Any], sort: str, *, reverse: bool) -> list[str]:
    """Ids by label with unlabelled ones last by id, or by time with the latest first."""
    if sort == "label":
        items = sorted(items, key=lambda one: (one.label is None, one.label or "", one.id))
    else:
        items = sorted(items, key=lambda one: (getattr(one, f"{sort}_us"), one.id), reverse=True)
    ids = [one.id for one in items]
    return ids[::-1] if reverse else ids


async def joined(read: Callable[[PageRequest], Any], limit: int, *, reverse: bool) -> list[Any]:
    """All pages, checked to be full while more follows."""
    items: list[Any] = []
    after: str | None = None
    while True:
        page: Page[Any] = await read(PageRequest(limit=limit, after=after, reverse=reverse))
        items += page.items
        if not page.has_more:
            return items
        assert len(page.items) == limit
        after = page.next_cursor


async def told(engine: MetadataEngine, story: list[Shot]) -> Context:
    """The story in the store; metadata of every third flow changes later."""
    ctx = Context(metadata=engine, stores=MediaStores({}), service=Service())
    for shot in story:
        ctx.clock = partial(int, shot.tick)
        await put_flow(ctx, uuid4(shot.number), shot.body)
        posts = [
            {
                "object_id": f"{shot.number}/{second}",
                "timerange": f"[{second}:0_{second + 1}:0)",
                "get_urls": [{"url": "https://example.org/o", "label": "web"}],
            }
            for second in sorted(shot.seconds)
        ]
        if posts:
            assert (await register_segments(ctx, uuid4(shot.number), posts)).failed == ()
    for shot in story[::3]:
        ctx.clock = partial(int, 4)
        await set_flow_tag(ctx, uuid4(shot.number), "later", "x")
    return fresh(ctx)


def on_each_engine(play: Callable[[MetadataEngine], Any]) -> None:
    async def played() -> None:
        vast_shaped = VastShapedEngine()
        await play(vast_shaped)
        await vast_shaped.close()
        with tempfile.TemporaryDirectory() as folder:
            engine = await open_engine(Path(folder))
            try:
                await play(engine)
            finally:
                await engine.close()

    asyncio.run(played())


@pytest.fixture(params=[0, 1000], ids=["walk", "index"])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small reads everywhere, and indexes that are never, or always, worth starting from."""
    for module in (narrowing, flow_listing):
        monkeypatch.setattr(module, "FEW", request.param)
    monkeypatch.setattr(listing, "_IDS_PER_READ", 2)
    monkeypatch.setattr(reading, "BATCH", 3)
    monkeypatch.setattr(reading, "PER_KEY", 2)


checked = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.usefixtures("few")
@checked
@given(stories(), st.lists(flow_filters, min_size=4, max_size=4), st.integers(1, 4), st.booleans())
def test_flows(story: list[Shot], filters: list[FlowFilter], limit: int, reverse: bool) -> None:
    async def play(engine: MetadataEngine) -> None:
        ctx = await told(engine, story)
        stored = {
            flow.id: flow
            for flow in await joined(partial(list_flows, ctx, FlowFilter()), 100, reverse=False)
        }
        assert len(stored) == len(story)
        for wanted in filters:
            expected: list[Flow] = [
                stored[uuid4(shot.number)] for shot in story if flow_matches(story, shot, wanted)
            ]
            found = await joined(partial(list_flows, ctx, wanted), limit, reverse=reverse)
            ids = [flow.id for flow in found]
            assert ids == ordered(expected, wanted.sort.value, reverse=reverse)
            assert await count_flows(ctx, wanted) == len(expected)

    on_each_engine(play)


@pytest.mark.usefixtures("few")
@checked
@given(
    stories(), st.lists(source_filters, min_size=4, max_size=4), st.integers(1, 4), st.booleans()
)
def test_sources(story: list[Shot], filters: list[SourceFilter], limit: int, reverse: bool) -> None:
    first = {shot.source: shot for shot in reversed(story)}
    source_of = {shot.number: shot.source for shot in story}
    collectors = {
        source: {
            uuid4(shot.source)
            for shot in story
            for member in shot.members
            if source_of[member] == source != shot.source
        }
        for source in first
    }

    def matches(source: int, wanted: SourceFilter) -> bool:
        shot, by = first[source], wanted.collected_by
        return (
            wanted.label in (None, shot.label)
            and wanted.format in (None, ContentFormat(shot.body["format"]))
            and tags_match(shot.tags, wanted.tags)
            and (
                by is None or (bool(collectors[source] & set(by)) if by else not collectors[source])
            )
        )

    async def play(engine: MetadataEngine) -> None:
        ctx = await told(engine, story)
        for source, shot in first.items():
            ctx.clock = partial(int, 10 - shot.tick)
            await set_source_property(ctx, uuid4(source), "label", shot.label)
            for name, value in shot.tags.items():
                await set_source_tag(ctx, uuid4(source), name, value)
        stored: dict[str, Source] = {
            one.id: one
            for one in await joined(partial(list_sources, ctx, SourceFilter()), 100, reverse=False)
        }
        assert set(stored) == {uuid4(source) for source in first}
        for wanted in filters:
            expected = [stored[uuid4(source)] for source in first if matches(source, wanted)]
            found = await joined(partial(list_sources, ctx, wanted), limit, reverse=reverse)
            ids = [one.id for one in found]
            assert ids == ordered(expected, wanted.sort.value, reverse=reverse)
            assert await count_sources(ctx, wanted) == len(expected)

    on_each_engine(play)


async def test_a_filter_that_half_of_the_rows_match_reads_little_more_than_it_shows(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second read as large as the largest would make every page but the last one slow."""
    for number in range(40):
        body = video(uuid4(number), uuid4(100), tags={"odd": str(number % 2)})
        await put_flow(ctx, uuid4(number), body)
    read, rows = ctx.metadata.page, []

    async def counted(scan: Scan) -> Any:
        found = await read(scan)
        rows.append(found.num_rows)
        return found

    monkeypatch.setattr(narrowing, "FEW", 0)
    monkeypatch.setattr(type(ctx.metadata), "page", lambda _, scan: counted(scan))
    wanted = FlowFilter(tags=(TagFilter("odd", any_of=("1",)),))
    page = await list_flows(fresh(ctx), wanted, PageRequest(limit=4))
    assert (len(page.items), page.has_more, rows) == (4, True, [5, 10])
