"""The columns of a page of segments as GraphQL shows them."""

import operator
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import pyarrow as pa

from tams_graphql.graphql.columnar import Column, Columns, Leaves, Lists, Objects
from tams_graphql.graphql.connections import global_ids
from tams_graphql.graphql.segments import FlowSegment, FlowSegmentEdge, InitObject
from tams_graphql.graphql.urls import GetUrlFilter, UrlRows
from tams_graphql.metadata.columns import column_values
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.paging import encode_cursor
from tams_graphql.resolvers.urls import parse_instances
from tams_graphql.timeline import format_timeranges, format_timestamps

_PLAIN = {
    "flowId": "flow_id",
    "objectId": "object_id",
    "keyFrameCount": "key_frame_count",
}
_TIMESTAMPS = {"start": "start_ns", "end": "end_ns", "lastDuration": "last_duration_ns"}
_TIMERANGES = {"timerange": "", "objectTimerange": "object_"}
_ENDS = ("start_ns", "end_ns", "bounds")
_INTEGERS = {"sampleOffset": "sample_offset", "sampleCount": "sample_count"}


class SegmentRows(Columns):
    """Segments, as columns of `metadata.tables.SEGMENTS`."""

    type_name = "FlowSegment"

    def __init__(self, ctx: Context, table: pa.Table) -> None:
        self._ctx = ctx
        self._table = table
        self._lists: dict[str, list[Any]] = {}
        self._written: dict[str, list[str | None]] = {}

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __iter__(self) -> Iterator[FlowSegment]:
        names = {
            "id": "id", "flow_id": "flowId", "object_id": "objectId", "timerange": "timerange",
            "start": "start", "end": "end", "duration": "duration", "ts_offset": "tsOffset",
            "last_duration": "lastDuration", "object_timerange": "objectTimerange",
            "key_frame_count": "keyFrameCount", "sample_offset": "sampleOffset",
            "sample_count": "sampleCount",
        }  # fmt: skip
        columns = [self._leaves(name) or [] for name in names.values()]
        instances = self._list("instances_json")
        for row, json, init in zip(zip(*columns, strict=True), instances, self._inits, strict=True):
            yield FlowSegment(
                **dict(zip(names, row, strict=True)), instances_json=json, init_object=init
            )

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
        values = self._leaves(name)
        return None if values is None else Leaves(values)

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

    def _leaves(self, name: str) -> list[Any] | None:
        if name in _PLAIN:
            return self._list(_PLAIN[name])
        if name in _TIMESTAMPS:
            return self._timestamps(_TIMESTAMPS[name])
        if name in _INTEGERS:
            return [None if n is None else str(n) for n in self._list(_INTEGERS[name])]
        if name in _TIMERANGES:
            return self._timeranges(_TIMERANGES[name])
        return self._computed(name)

    def _computed(self, name: str) -> list[Any] | None:
        starts = self._list("start_ns")
        if name == "id":
            return global_ids(self.type_name, zip(self._list("flow_id"), starts, strict=True))
        if name == "duration":
            return format_timestamps(map(operator.sub, self._list("end_ns"), starts))
        if name == "tsOffset":
            return [written or "0:0" for written in self._timestamps("ts_offset_ns")]
        return None

    def _timestamps(self, column: str) -> list[str | None]:
        if column not in self._written:
            self._written[column] = format_timestamps(self._list(column))
        return self._written[column]

    def _timeranges(self, prefix: str) -> list[str]:
        return format_timeranges(*(self._list(f"{prefix}{name}") for name in _ENDS))

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
