"""Interleaved arms, medians, ratios.

A noisy machine slows all arms of a round alike, so a ratio of medians over interleaved rounds
carries over to other machines; an absolute time does not.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import rich


@dataclass(frozen=True)
class Arm:
    """One of the things compared. `run` does the work once; `per` is how many units that is."""

    name: str
    run: Callable[[], object]
    per: int = 1


@dataclass(frozen=True)
class Comparison:
    """A question and the arms that answer it; the first arm is the base of the ratios."""

    question: str
    unit: str
    arms: Sequence[Arm]
    rounds: int = 30


@dataclass(frozen=True)
class Result:
    """Median milliseconds per unit of each arm, and each arm's ratio to the first."""

    comparison: Comparison
    medians: tuple[float, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        """Each median over the first one."""
        return tuple(median / self.medians[0] for median in self.medians)

    def markdown(self) -> Iterator[str]:
        """A table of this result."""
        yield f"### {self.comparison.question}"
        yield ""
        yield f"| arm | median ms per {self.comparison.unit} | ratio |"
        yield "|---|---|---|"
        for arm, median, ratio in zip(self.comparison.arms, self.medians, self.ratios, strict=True):
            yield f"| {arm.name} | {median:.3f} | {ratio:.2f} |"
        yield ""


def measure(comparison: Comparison) -> Result:
    """Run all arms in turn, `rounds` times after one round to warm up."""
    samples: list[list[float]] = [[] for _ in comparison.arms]
    for round_number in range(comparison.rounds + 1):
        for arm, times in zip(comparison.arms, samples, strict=True):
            started = time.perf_counter()
            arm.run()
            if round_number:
                times.append((time.perf_counter() - started) * 1000 / arm.per)
    result = Result(comparison, tuple(statistics.median(times) for times in samples))
    rich.print("\n".join(result.markdown()))
    return result
