"""Run all comparisons against real servers and write docs/benchmarks.md."""

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx

from tests.bench.deletion import disturbance
from tests.bench.depth import depths
from tests.bench.events import followed_registration, tellings
from tests.bench.execution import executions
from tests.bench.harness import Arm, Comparison, Result, measure
from tests.bench.presigning import presigning
from tests.bench.registrations import Registrations
from tests.bench.seed import FLOW_1M, FLOW_10K, seed_segments
from tests.bench.vast import vast_comparisons
from tests.robustness.stories import video_flow
from tests.support.processes import free_port, tams

REPORT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
COUNTS = {FLOW_10K: 10_000, FLOW_1M: 1_000_000}

LIST_QUERY = """
query ($flow: UUID!) {
  flow(flowId: $flow) {
    segments(first: 1000) { nodes { objectId timerange keyFrameCount } }
  }
}
"""


def registration(client: httpx.Client) -> Comparison:
    """One segment a request against a hundred."""
    segments = Registrations(client)
    arms = [
        Arm("100 segments a request", lambda: segments.register(100), per=100),
        Arm("1 segment a request", lambda: segments.register(1)),
    ]
    return Comparison("What does registering one segment cost?", "segment", arms)


def timerange_read(client: httpx.Client) -> Comparison:
    """A hundred seconds from the middle of a short and of a long flow."""

    def read(flow_id: str) -> None:
        middle = COUNTS[flow_id] // 2
        query = {"timerange": f"[{middle}:0_{middle + 100}:0)", "accept_get_urls": ""}
        response = client.get(f"/flows/{flow_id}/segments", params=query)
        assert len(response.json()) == 100, response.text

    arms = [Arm(f"of {COUNTS[f]:,} segments", lambda f=f: read(f)) for f in COUNTS]
    return Comparison(
        "Does reading 100 segments by time depend on the flow's length?", "read", arms
    )


def list_of_1000(client: httpx.Client, bare: httpx.Client) -> Comparison:
    """The same thousand segments through everything and through nothing."""

    def through_graphql() -> None:
        body = {"query": LIST_QUERY, "variables": {"flow": FLOW_10K}}
        answer = client.post("/graphql", json=body).json()
        assert len(answer["data"]["flow"]["segments"]["nodes"]) == 1000, answer

    def through_rest() -> None:
        query = {"limit": "1000", "accept_get_urls": ""}
        assert len(client.get(f"/flows/{FLOW_10K}/segments", params=query).json()) == 1000

    def through_nothing() -> None:
        assert len(bare.get(f"/{FLOW_10K}", params={"limit": "1000"}).json()) == 1000

    def signed() -> None:
        response = client.get(f"/flows/{FLOW_10K}/segments", params={"limit": "1000"})
        assert response.json()[999]["get_urls"]

    arms = [
        Arm("bare route", through_nothing),
        Arm("GraphQL", through_graphql),
        Arm("REST", through_rest),
        Arm("REST with signed URLs", signed),
    ]
    return Comparison("What do 1000 segments cost on the way out?", "list", arms)


@contextmanager
def bare_server(index: Path) -> Iterator[str]:
    """The bare route as a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "tests.bench.bare:app", "--port", str(port)]
    environment = {**os.environ, "BARE_INDEX": str(index)}
    process = subprocess.Popen([*command, "--log-level", "warning"], env=environment)
    try:
        time.sleep(2)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def run(data: Path) -> list[Result]:
    """Seed, serve, measure."""
    with tams(data) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        for flow_id in COUNTS:
            client.put(f"/flows/{flow_id}", json=video_flow(flow_id)).raise_for_status()
    seed_segments(data, COUNTS)
    with tams(data) as server, bare_server(data / "index.sqlite") as bare_url:
        client = httpx.Client(base_url=server.url, timeout=60)
        bare = httpx.Client(base_url=bare_url, timeout=60)
        with client, bare:
            comparisons = (registration(client), timerange_read(client), list_of_1000(client, bare))
            results = [measure(comparison) for comparison in comparisons]
    with executions(data) as comparisons_of_execution:
        return results + [measure(comparison) for comparison in comparisons_of_execution]


def main() -> None:
    """Run and report."""
    with tempfile.TemporaryDirectory() as folder:
        results = [*run(Path(folder) / "data"), measure(presigning())]
    with vast_comparisons() as comparisons:
        results += [measure(comparison) for comparison in comparisons]
    with followed_registration() as comparison:
        results.append(measure(comparison))
    told = tellings()
    disturbed, deep = disturbance(), depths()
    stamp = datetime.now(UTC).strftime("%Y-%m-%d")
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`. Arms of one table ran interleaved in one run against real",
        "servers; the ratios carry over to other machines, the times do not.",
        "",
        f"{stamp}, {machine}.",
        "",
        *(line for result in results for line in result.markdown()),
        *(line for one in told for line in one.markdown()),
        *disturbed.markdown(),
        *deep.markdown(),
    ]
    REPORT.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
