"""How histories are run: short ones as Hypothesis likes them, and long ones."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.parity.machine import Opening
from tests.parity.operations import Operations


def live_through(
    opening: Opening, *, number: int, steps: int, later: bool = False, **more: Any
) -> Counter[str]:
    """Run `number` histories of up to `steps` steps; what was done how often.

    `later`: whether the stores' deletions go on after their answer.

    Raises:
        AssertionError: a store differs from the model.
    """
    done: Counter[str] = Counter()
    run_state_machine_as_test(
        lambda: Operations(opening, done, later=later),  # type: ignore[arg-type]  # any factory
        settings=settings(
            max_examples=number,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            **more,
        ),
    )
    return done


@contextmanager
def without_bounds() -> Iterator[None]:
    """Let histories be long and every rule take part in each: Hypothesis wants neither."""
    flags = "hypothesis.strategies._internal.featureflags.FeatureFlags"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hypothesis.stateful.BUFFER_SIZE", 1 << 20)
        patch.setattr("hypothesis.internal.conjecture.engine.BUFFER_SIZE", 1 << 20)
        patch.setattr(f"{flags}.is_enabled", lambda _, __: True)
        yield
