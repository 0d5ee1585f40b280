"""`make soak`: everything that takes long, and docs/soak.md about it.

1. The tests marked soak.
2. The suites of both APIs and of everything above the index, with `--engine vast`.
3. The tests in the `vastdb` wheel, against our emulator (`run_sdk_tests`).

`python -m tests.soak vast sdk` runs some of them (`campaigns`, `vast`, `sdk`) and prints the
report instead.
"""

import os
import platform
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parent.parent
REPORT = ROOT / "docs" / "soak.md"
SUITES = (
    "tests/rest_compat",
    "tests/graphql",
    "tests/resolvers",
    "tests/client",
    "tests/media",
    "tests/robustness",
    "tests/test_app.py",
    "tests/test_cli.py",
    "tests/test_docs.py",
    "tests/test_real_media.py",
)
"""What runs on VAST, too; `make test` runs the contract suite of the engines on both anyway."""

SDK_FILE = re.compile(
    r"^(?P<file>test_\w+\.py) +(?P<passed>\d+ of +\d+) passed, (?P<seconds>\d+) s$"
)
SDK_FAILURE = re.compile(r"^  (?P<test>test_\w+\.py(?:::\w+)?).*: (?P<reason>.*)$")
Table = list[str]


def pytest(*options: str, **environment: str) -> tuple[int, list[tuple[str, str, bool, float]]]:
    """Run tests, two at a time; the exit status, and (module, test, passed, seconds) of each."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", *options, "-n", "2", f"--junitxml={report}"]
        status = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **environment}, check=False
        ).returncode
        cases = list(ElementTree.parse(report).iter("testcase"))
    return status, [
        (
            case.attrib["classname"],
            case.attrib["name"].split("[")[0],
            not any(case.find(kind) is not None for kind in ("failure", "error", "skipped")),
            float(case.attrib["time"]),
        )
        for case in cases
    ]


def counted(kind: str, outcomes: Iterator[tuple[str, bool, float]]) -> Table:
    """A table of how many of each name passed, and how long they took."""
    by_name: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    for name, passed, seconds in outcomes:
        by_name[name].append((passed, seconds))
    lines = [f"| {kind} | passed | seconds |", "|---|---|---|"]
    for name, cases in sorted(by_name.items()):
        took = sum(seconds for _, seconds in cases)
        lines.append(f"| `{name}` | {sum(ok for ok, _ in cases)} of {len(cases)} | {took:.0f} |")
    return lines


def campaigns() -> tuple[int, Table]:
    """The tests marked soak, by function."""
    options = ("--soak", "-m", "soak", "--dist", "worksteal")
    status, cases = pytest(*options, HYPOTHESIS_PROFILE="slow")
    named = ((f"{module.removeprefix('tests.')}: {name}", ok, s) for module, name, ok, s in cases)
    return status, [
        "The long campaigns, run whole. Property tests run 100,000 cases.",
        "",
        *counted("test", named),
    ]


def on_vast() -> tuple[int, Table]:
    """The suites with their index in VAST DB (the emulator), by directory."""
    status, cases = pytest("--engine", "vast", "--dist", "loadfile", *SUITES)
    named = (("/".join(module.split(".")[:2]), ok, s) for module, _, ok, s in cases)
    return status, [
        "## The suites on VAST",
        "",
        "With `--engine vast`: the index is in the emulator, reached through the real SDK.",
        "",
        *counted("suite", named),
    ]


def sdk() -> tuple[int, Table]:
    """The tests in the `vastdb` wheel, by file, and why some don't pass."""
    command = [sys.executable, "-m", "tests.run_sdk_tests"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    sys.stdout.write(done.stdout)
    files = [found for line in done.stdout.splitlines() if (found := SDK_FILE.match(line))]
    failures = [found for line in done.stdout.splitlines() if (found := SDK_FAILURE.match(line))]
    return done.returncode or not files, [
        "## The SDK's own tests",
        "",
        "Those in the `vastdb` wheel, unmodified, against the emulator.",
        "",
        "| file | passed | seconds |",
        "|---|---|---|",
        *(f"| `{one['file']}` | {one['passed']} | {one['seconds']} |" for one in files),
        "",
        "Not passed:",
        "",
        *dict.fromkeys(f"- `{one['test']}`: {one['reason']}" for one in failures),
    ]


PARTS: dict[str, Callable[[], tuple[int, Table]]] = {
    "campaigns": campaigns,
    "vast": on_vast,
    "sdk": sdk,
}


def commit() -> str:
    """The commit that was tested, marked if the tree had changes."""
    described = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    return subprocess.run(
        described, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


def main(chosen: Sequence[str]) -> int:
    """Run and report."""
    results = [PARTS[name]() for name in chosen or PARTS]
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    lines = [
        "# Soak",
        "",
        f"Written by `make soak`: {datetime.now(UTC):%Y-%m-%d}, {machine}, commit {commit()}.",
    ]
    for _, table in results:
        lines += ["", *table]
    text = "\n".join(lines) + "\n"
    if chosen:
        sys.stdout.write(text)
    else:
        REPORT.write_text(text)
    return int(any(status for status, _ in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
