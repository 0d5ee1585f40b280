"""What the probes are called, and what the design assumes of each."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

TITLES: Final[Mapping[int, str]] = MappingProxyType(
    {
        1: "two updates of one column of one row",
        2: "two columns of one row; a value that stays",
        3: "updates against deletes",
        4: "what is apart",
        5: "what a transaction sees of later commits",
        6: "commits seen through another node",
        7: "commits of transactions that are over",
        8: "a writer that falls silent",
        9: "two updates of one row in one transaction",
        10: "a sorted table while it is sorted",
        11: "row ids chosen by the application",
        12: "writers that race",
        13: "a row that never rests",
    }
)

ASSUMPTIONS: Final[Mapping[int, str]] = MappingProxyType(
    {
        1: "one of them is refused, or waits",
        2: "an update counts even if it changes no value",
        3: "one of them is refused, or waits",
        4: "it does not conflict",
        5: "it sees none of them",
        6: "a transaction sees every commit before it",
        7: "they are never confirmed, unless they were committed",
        8: "its row is free after a while",
        9: "the second one counts",
        10: "row ids stay, and one writer alone is never refused",
        11: "the same one twice is refused (nothing relies on it)",
        12: "the count is exact, and each slot has one winner",
        13: "it does not become slower and slower",
    }
)
