"""Which segments of a table lie in a timerange completely."""

import pyarrow as pa
import pyarrow.compute as pc

from tams_graphql.timeline import TimeRange


def covered_rows(segments: pa.Table, timerange: TimeRange) -> pa.Table:
    """The rows of `segments` (``start_ns``, ``end_ns``) that `timerange` covers as a whole."""
    if timerange.is_empty:
        return segments.slice(0, 0)
    start, end = timerange.start_ns, timerange.end_ns
    if start is not None:
        segments = segments.filter(pc.greater_equal(segments["start_ns"], pa.scalar(start)))
    if end is not None:
        segments = segments.filter(pc.less_equal(segments["end_ns"], pa.scalar(end)))
    return segments
