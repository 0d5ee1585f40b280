"""What a long deletion costs others, in one run: light reads before it, and while it goes on."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import rich

from tests.robustness.long_deletion import Latencies, Others, prepare, progress, watch
from tests.support.processes import tams

SEGMENTS = 300_000
SECONDS = 10.0


@dataclass(frozen=True)
class Disturbance:
    """Light requests before and during a deletion."""

    before: Others
    during: Others

    def markdown(self) -> Iterator[str]:
        """A table of this result."""
        yield "### Does a long deletion slow others down?"
        yield ""
        yield (
            "Reads of ten segments and registrations of one, each one after the other, while a"
            f" flow of {SEGMENTS:,} goes."
        )
        yield ""
        yield "| request | arm | median ms | ratio | p99 ms | ratio |"
        yield "|---|---|---|---|---|---|"
        for request in ("reads", "registrations"):
            first: Latencies = getattr(self.before, request)
            for name, asked in (("before", self.before), ("during", self.during)):
                arm: Latencies = getattr(asked, request)
                yield (
                    f"| {request} | {name} | {arm.median:.2f} | {arm.median / first.median:.2f}"
                    f" | {arm.p99:.2f} | {arm.p99 / first.p99:.2f} |"
                )
        yield ""


def measured(data: Path, flow_id: str, other: str) -> Disturbance:
    """Read, delete `flow_id`, read `other` meanwhile."""
    with tams(data, deletion_grace="0") as server:
        watch(server.url, other, 2)
        before = watch(server.url, other, SECONDS)
        answer = httpx.delete(f"{server.url}/flows/{flow_id}", timeout=60)
        assert answer.status_code == 202, answer.text
        while progress(server.url)[1] == 0:
            pass
        during = watch(server.url, other, SECONDS)
        status, _ = progress(server.url)
        assert status == "STARTED", "it ended too early: more segments are needed"
    return Disturbance(before, during)


def disturbance() -> Disturbance:
    """Before and during the deletion of a flow of `SEGMENTS`."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        result = measured(data, *prepare(data, SEGMENTS))
    rich.print("\n".join(result.markdown()))
    return result
