"""Run the `vastdb` SDK's own tests, unmodified, from the installed wheel, against our emulator.

1. Start `tests.vast_emulator` on a free port (or use `--endpoint`).
2. Run pytest in this process on `vastdb/tests`, with the options that the wheel's conftest wants.
3. Print, for each file, how many of its tests passed, and why the others did not.
4. Exit with 1 if fewer passed than `EXPECTED` says.

`time.sleep` is cut to one second: some tests wait up to five minutes for the background sorting of
a real cluster. `--full-sleeps` leaves it alone.

    python -m tests.run_sdk_tests [FILE ...]
"""

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import pytest

from .vast_emulator.running import ACCESS_KEY, BUCKET, SECRET_KEY, Running, emulator

EXPECTED = {
    "test_tables.py": 65,
    "test_schemas.py": 6,
    "test_sanity.py": 4,
    "test_table_in_tx.py": 13,
    "test_nested.py": 4,
    "test_fixed_list.py": 48,
    "test_projections.py": 2,
}
"""Passing tests by file, at least."""

NOT_EMULATED = {
    "test_catalog_select": "VAST Catalog is a system table, filled by the cluster",
    "test_catalog_snapshots_select": "VAST Catalog and snapshots",
    "test_audit_log_select": "the audit log is a system table",
    "test_query_data_with_projection": "queries don't use semi-sorted projections",
    "test_imports": "needs S3 and the import of Parquet files",
    "test_adbc_integration": "needs the native ADBC driver, which doesn't speak HTTP",
    "test_blob_expansion": "blob expansion (the file skips itself)",
    "test_vector_index": "vector indexes",
    "test_vector_search": "vector indexes and the native driver",
    "test_duckdb": "needs duckdb",
}
"""Why tests (or whole files) don't pass."""


@dataclass
class Results:
    """A pytest plugin that keeps outcomes by file."""

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    failures: list[tuple[str, str]] = field(default_factory=list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name, _, test = report.nodeid.partition("::")
        file = Path(name).name
        self.seconds[file] += report.duration
        if report.when == "call" or report.outcome != "passed":
            self.outcomes.setdefault(file, Counter())[report.outcome] += 1
            if report.outcome != "passed":
                self.failures.append((file, test))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.outcome != "passed":
            file = Path(report.nodeid).name
            self.outcomes.setdefault(file, Counter())[report.outcome] += 1
            self.failures.append((file, ""))

    def lines(self) -> Iterator[str]:
        for file, counts in sorted(self.outcomes.items()):
            passed = f"{counts['passed']:3} of {counts.total()} passed"
            yield f"{file:28} {passed}, {self.seconds[file]:.0f} s"
        for file, test in self.failures:
            bare = test.partition("[")[0]
            reason = NOT_EMULATED.get(bare) or NOT_EMULATED.get(Path(file).stem) or "UNEXPECTED"
            yield f"  {file}::{test}: {reason}"

    def fell_short(self) -> list[str]:
        return [
            file
            for file, counts in self.outcomes.items()
            if counts["passed"] < EXPECTED.get(file, 0)
        ]


def _short_sleeps() -> None:
    sleep = time.sleep

    def short(seconds: float) -> None:
        sleep(min(seconds, 1.0))

    time.sleep = short  # type: ignore[assignment]


def _run(running: Running | None, endpoint: str, files: Sequence[str], rest: list[str]) -> Results:
    spec = find_spec("vastdb")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("vastdb is not installed: pip install 'tams-graphql[vast]'")
    package = Path(spec.submodule_search_locations[0])
    results = Results()
    arguments = [
        *(str(package / "tests" / file) for file in files or ["."]),
        f"--rootdir={package}", "-c", "/dev/null", "-p", "no:cacheprovider",
        "-q", "--tb=line", "--continue-on-collection-errors",
        "-W", "ignore",
        "--tabular-endpoint-url", running.url if running else endpoint,
        "--tabular-access-key", ACCESS_KEY, "--tabular-secret-key", SECRET_KEY,
        "--tabular-bucket-name", BUCKET, *rest,
    ]  # fmt: skip
    pytest.main(arguments, plugins=[results])
    return results


def main() -> None:
    """Run, print, judge."""
    parser = argparse.ArgumentParser("python -m tests.run_sdk_tests", description=__doc__)
    parser.add_argument("files", nargs="*", help="like test_tables.py; default: all")
    parser.add_argument("--endpoint", default="", help="use this server instead of our own")
    parser.add_argument("--full-sleeps", action="store_true")
    options, rest = parser.parse_known_args()
    if not options.full_sleeps:
        _short_sleeps()
    with nullcontext() if options.endpoint else emulator() as running:
        results = _run(running, options.endpoint, options.files, rest)
    sys.stdout.write("".join(f"{line}\n" for line in results.lines()))
    short = results.fell_short()
    if short and not rest:
        sys.exit(f"Fewer passed than before in {', '.join(short)}")


if __name__ == "__main__":
    main()
