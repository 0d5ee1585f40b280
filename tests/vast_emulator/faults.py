"""Faults on purpose: what a cluster, a network or a busy neighbour may do to a request.

A rule fits some requests (by method and command), with a probability, a number of times:

| action        | what happens                                                                 |
|---------------|------------------------------------------------------------------------------|
| `latency`     | the request waits for `seconds` first                                        |
| `slow-down`   | 503 `SlowDown`, nothing happened; the SDK retries                            |
| `unavailable` | 503 without that code, nothing happened; the SDK does not retry              |
| `conflict`    | 409, nothing happened; a commit so refused rolls its transaction back        |
| `drop-before` | the connection breaks, nothing happened                                      |
| `drop-after`  | the connection breaks after the request was carried out                      |
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from random import Random
from typing import Any

from .wire import Wire


class Action(StrEnum):
    """What a rule does to a request."""

    LATENCY = "latency"
    SLOW_DOWN = "slow-down"
    UNAVAILABLE = "unavailable"
    CONFLICT = "conflict"
    DROP_BEFORE = "drop-before"
    DROP_AFTER = "drop-after"


@dataclass
class Rule:
    """When to do what; empty `methods` or `commands` fit all requests."""

    action: Action
    methods: Sequence[str] = ()
    commands: Sequence[str] = ()
    probability: float = 1.0
    times: int | None = None
    skip: int = 0
    seconds: float = 0.0

    def fits(self, wire: Wire) -> bool:
        """Whether the rule is about such a request."""
        return (not self.methods or wire.method in self.methods) and (
            not self.commands or wire.command in self.commands
        )

    def strikes(self, random: Random) -> bool:
        """Whether this time it happens; counts down `skip` and `times`."""
        if self.times == 0 or random.random() >= self.probability:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass
class Faults:
    """The rules in force, and a count of what they did."""

    rules: list[Rule] = field(default_factory=list)
    random: Random = field(default_factory=Random)
    struck: dict[str, int] = field(default_factory=dict)

    def strike(self, wire: Wire) -> list[Rule]:
        """The rules that hit this request."""
        hits = [rule for rule in self.rules if rule.fits(wire) and rule.strikes(self.random)]
        for rule in hits:
            self.struck[rule.action] = self.struck.get(rule.action, 0) + 1
        return hits

    def replace(self, rules: Iterable[Any]) -> None:
        """Set new rules from JSON objects with the fields of `Rule`."""
        self.rules = [Rule(**{**rule, "action": Action(rule["action"])}) for rule in rules]

    def as_json(self) -> str:
        """The rules and the counts."""
        return json.dumps({"rules": [asdict(one) for one in self.rules], "struck": self.struck})


def usual_rules(
    *,
    latency: float = 0.0,
    slow_down: float = 0.0,
    conflicts: float = 0.0,
    drop_before_commit: float = 0.0,
    drop_after_commit: float = 0.0,
) -> list[Rule]:
    """The rules behind the command line's options: seconds, and probabilities between 0 and 1."""
    commit = (["PUT"], ["transaction"])
    rules = [
        Rule(Action.LATENCY, seconds=latency, probability=float(latency > 0)),
        Rule(Action.SLOW_DOWN, probability=slow_down),
        Rule(Action.CONFLICT, ["PUT", "DELETE"], ["rows"], probability=conflicts),
        Rule(Action.CONFLICT, *commit, probability=conflicts),
        Rule(Action.DROP_BEFORE, *commit, probability=drop_before_commit),
        Rule(Action.DROP_AFTER, *commit, probability=drop_after_commit),
    ]
    return [rule for rule in rules if rule.probability > 0]
