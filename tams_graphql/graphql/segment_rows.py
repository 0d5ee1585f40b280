"""The columns of a page of segments as GraphQL shows them."""

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import pyarrow as pa
from strawberry.utils.str_converters import to_snake_case

from tams_graphql.graphql.columnar import Column, Columns, Leaves, Lists, Objects
from tams_graphql.graphql.connections import global_ids
from tams_graphql.graphql.segments import FlowSegment, FlowSegmentEdge, InitObject
from tams_graphql.graphql.urls import GetUrlFilter, UrlRows
from tams_graphql.metadata.columns import column_values
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.paging import encode_cursor
from tams_graphql.resolvers.urls import parse_instances
from tams_graphql.timeline import format_timeranges, format_timestamps

_Column = list[Any]


def _ids(flow_ids: _Column, starts: _Column) -> _Column:
    pairs = zip(flow_ids, starts, strict=True)
    return [*global_ids(f"FlowSegment:{flow_id}:{start}" for flow_id, start in pairs)]


def _durations(starts: _Column, ends: _Column) -> _Column:
    return [*format_timestamps(map(operator.sub, ends, starts))]


def _offsets(offsets: _Column) -> _Column:
    return [*format_timestamps(offset or 0 for offset in offsets)]


def _integers(numbers: _Column) -> _Column:
    return [None if number is None else str(number) for number in numbers]


# For each scalar field: the columns that it takes, and how it is written from them.
_LEAVES: Mapping[str, tuple[tuple[str, ...], Callable[..., _Column]]] = {
    "id": (("flow_id", "start_ns"), _ids),
    "flowId": (("flow_id",), list),
    "objectId": (("object_id",), list),
    "timerange": (("start_ns", "end_ns", "bounds"), format_timeranges),
    "start": (("start_ns",), format_timestamps),
    "end": (("end_ns",), format_timestamps),
    "duration": (("start_ns", "end_ns"), _durations),
    "tsOffset": (("ts_offset_ns",), _offsets),
    "lastDuration": (("last_duration_ns",), format_timestamps),
    "objectTimerange": (("object_start_ns", "object_end_ns", "object_bounds"), format_timeranges),
    "keyFrameCount": (("key_frame_count",), list),
    "sampleOffset": (("sample_offset",), _integers),
    "sampleCount": (("sample_count",), _integers),
}
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    **{name: columns for name, (columns, _) in _LEAVES.items()},
    "getUrls": ("instances_json",),
    "initObject": ("init_object_id", "init_instances_json"),
    "object": ("object_id",),
}


def columns_of(fields: Iterable[str]) -> frozenset[str]:
    """The columns of `metadata.tables.SEGMENTS` that these fields of a FlowSegment take."""
    return frozenset(column for field in fields for column in _COLUMNS.get(field, ()))


class SegmentRows(Columns):
    """Segments, as columns of `metadata.tables.SEGMENTS`.

    Columns that no selected field takes may be missing (`columns_of`), but not ``start_ns``.
    """

    type_name = "FlowSegment"

    def __init__(self, ctx: Context, table: pa.Table) -> None:
        self._ctx = ctx
        self._table = table
        self._lists: dict[str, list[Any]] = {}

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __iter__(self) -> Iterator[FlowSegment]:
        fields = {to_snake_case(name): self._if_read(name, self._leaves) for name in _LEAVES}
        fields["instances_json"] = self._if_read("getUrls", lambda _: self._list("instances_json"))
        fields["init_object"] = self._if_read("initObject", lambda _: self._inits)
        for row in zip(*fields.values(), strict=True):
            yield FlowSegment(**dict(zip(fields, row, strict=True)))

    def _if_read(self, field: str, make: Callable[[str], list[Any]]) -> list[Any]:
        # What was not read was not selected, so nobody looks at it.
        there = set(_COLUMNS[field]) <= set(self._table.column_names)
        return make(field) if there else [None] * len(self)

    def column(
        self, name: str, arguments: Mapping[str, Any], wanted: frozenset[str]
    ) -> Column | None:
        """As `Columns.column`."""
        if name == "getUrls":
            json = self._list("instances_json")
            return url_lists(self._ctx, json, arguments.get("filter"), wanted)
        if name == "initObject":
            found = [init for init in self._inits if init is not None]
            return Objects(InitRows(self._ctx, found), [init is not None for init in self._inits])
        return Leaves(self._leaves(name)) if name in _LEAVES else None

    def ends(self) -> list[str]:
        """The cursors of the first and the last row, if there are any."""
        starts = self._table["start_ns"]
        return [self._cursor(starts[at].as_py()) for at in (0, len(self) - 1)] if len(self) else []

    @cached_property
    def cursors(self) -> list[str]:
        """One for each row."""
        return [self._cursor(start) for start in self._list("start_ns")]

    @staticmethod
    def _cursor(start_ns: int) -> str:
        return encode_cursor("segments", (start_ns,))

    @cached_property
    def _inits(self) -> list[InitObject | None]:
        ids, instances = self._list("init_object_id"), self._list("init_instances_json")
        return [
            None if one is None else InitObject(object_id=one, instances_json=json)
            for one, json in zip(ids, instances, strict=True)
        ]

    def _leaves(self, name: str) -> list[Any]:
        columns, write = _LEAVES[name]
        return write(*map(self._list, columns))

    def _list(self, name: str) -> list[Any]:
        if name not in self._lists:
            self._lists[name] = column_values(self._table[name])
        return self._lists[name]


def url_lists(
    ctx: Context,
    instances_json: Sequence[str | None],
    given: GetUrlFilter | None,
    wanted: frozenset[str],
) -> Lists:
    """The URLs of many objects, signed in one go."""
    instances = [parse_instances(json) for json in instances_json]
    return UrlRows.of(ctx, instances, given, head="headUrl" in wanted)


class InitRows(Columns):
    """The initialisation objects of some segments."""

    type_name = "InitObject"

    def __init__(self, ctx: Context, objects: list[InitObject]) -> None:
        self._ctx = ctx
        self._objects = objects

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[InitObject]:
        return iter(self._objects)

    def column(
        self, name: str, arguments: Mapping[str, Any], wanted: frozenset[str]
    ) -> Column | None:
        """As `Columns.column`."""
        if name == "objectId":
            return Leaves([one.object_id for one in self._objects])
        if name == "getUrls":
            json = [one.instances_json for one in self._objects]
            return url_lists(self._ctx, json, arguments.get("filter"), wanted)
        return None


class SegmentEdgeRows(Columns):
    """Segments with their cursors."""

    type_name = "FlowSegmentEdge"

    def __init__(self, nodes: SegmentRows) -> None:
        self._nodes = nodes

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[FlowSegmentEdge]:
        for cursor, node in zip(self._nodes.cursors, self._nodes, strict=True):
            yield FlowSegmentEdge(cursor=cursor, node=node)

    def column(
        self, name: str, arguments: Mapping[str, Any], wanted: frozenset[str]
    ) -> Column | None:
        """As `Columns.column`."""
        del arguments, wanted
        if name == "cursor":
            return Leaves(self._nodes.cursors)
        return Objects(self._nodes) if name == "node" else None
