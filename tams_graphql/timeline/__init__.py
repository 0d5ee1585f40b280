"""Time on a media timeline: timestamps, timeranges and interval arithmetic.

Inside the store time is integer nanoseconds in half-open ranges; the strings of the TAMS spec
exist only at the edges, and this package is the one place that reads and writes them. It
imports nothing of ours, and every layer may use it.
"""

from tams_graphql.timeline.coverage import CoverageBuilder, coverage, gaps, gaps_between, union
from tams_graphql.timeline.timerange import (
    ETERNITY,
    NEVER,
    Bounds,
    TimeRange,
    format_timerange,
    format_timeranges,
)
from tams_graphql.timeline.timestamp import (
    MAX_NS,
    MIN_NS,
    NANOSECONDS,
    TimelineError,
    format_timestamp,
    format_timestamps,
    parse_timestamp,
)

__all__ = [
    "ETERNITY",
    "MAX_NS",
    "MIN_NS",
    "NANOSECONDS",
    "NEVER",
    "Bounds",
    "CoverageBuilder",
    "TimeRange",
    "TimelineError",
    "coverage",
    "format_timerange",
    "format_timeranges",
    "format_timestamp",
    "format_timestamps",
    "gaps",
    "gaps_between",
    "parse_timestamp",
    "union",
]
