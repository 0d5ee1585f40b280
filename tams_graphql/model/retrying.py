"""When to send again what a receiver did not take."""

from collections.abc import Sequence
from typing import Final

RETRY_SECONDS: Final = (
    *(1.0, 5.0, 30.0, 300.0, 1800.0, 7200.0, 18000.0),
    *(36000.0, 50400.0, 72000.0, 86400.0),
)
"""How long after each failure: Standard Webhooks' schedule over days, with quick first steps."""

JITTER: Final = 0.2
"""By how much of itself each of them varies, so that what failed together is not sent together."""


def retry_delay_us(
    failures: int, schedule: Sequence[float], asked_s: float | None, chance: float
) -> int | None:
    """How long to wait, in microseconds; ``None``: give up.

    Args:
        failures: how often in a row it went wrong, the last time included.
        schedule: how long to wait after each failure, in seconds.
        asked_s: for how many seconds the receiver asks to be left alone. It can make the wait
            longer, up to the longest of the schedule, never shorter.
        chance: from 0 to 1, for the jitter.
    """
    if failures > len(schedule):
        return None
    seconds = schedule[failures - 1] * (1 + JITTER * (2 * chance - 1))
    if asked_s is not None:
        seconds = max(seconds, min(asked_s, max(schedule)))
    return round(seconds * 1_000_000)
