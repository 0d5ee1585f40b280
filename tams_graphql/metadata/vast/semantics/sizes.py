"""How long and how often the probes try."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Effort of a run.

    Attributes:
        patience: seconds without an answer that mean: it waits for a lock.
        rounds: commits read back through the next node.
        rounds_of_one_node: the same, if there is only one node.
        abandoned_seconds: how long an abandoned writer's row is tried for.
        sorted_rows: rows of the sorted table.
        sorting_seconds: how long its sorting is waited for.
        writers: how many race.
        increments: of the counter, by each writer.
        slots: raced for by all writers.
        racing_seconds: when each of the two races is ended, finished or not.
        hot_seconds: how long one row is updated.
    """

    patience: float
    rounds: int
    rounds_of_one_node: int
    abandoned_seconds: float
    sorted_rows: int
    sorting_seconds: float
    writers: int
    increments: int
    slots: int
    racing_seconds: float
    hot_seconds: float


FULL: Final = Sizes(
    patience=2.0,
    rounds=1000,
    rounds_of_one_node=50,
    abandoned_seconds=120.0,
    sorted_rows=10_000,
    sorting_seconds=120.0,
    writers=8,
    increments=200,
    slots=200,
    racing_seconds=300.0,
    hot_seconds=60.0,
)
"""What an operator should run once before trusting a cluster with several writers."""

QUICK: Final = Sizes(
    patience=1.0,
    rounds=20,
    rounds_of_one_node=5,
    abandoned_seconds=0.5,
    sorted_rows=100,
    sorting_seconds=0.5,
    writers=4,
    increments=5,
    slots=3,
    racing_seconds=20.0,
    hot_seconds=0.5,
)
"""All probes in seconds: tells the kind of conflicts, but not what is rare or slow."""
