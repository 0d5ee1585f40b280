"""`make soak`: run every test marked soak, and write docs/soak.md about it."""

import os
import platform
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parent.parent
REPORT = ROOT / "docs" / "soak.md"


def run(report: Path) -> int:
    """Run the campaigns, two files at a time; pytest's exit status."""
    command = [sys.executable, "-m", "pytest", "--soak", "-m", "soak", "-n", "2"]
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "slow"}
    command += ["--dist", "worksteal", f"--junitxml={report}"]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def rows(report: Path) -> Iterator[str]:
    """One line per test function: how many cases it had, how many passed, how long they took."""
    functions: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    for case in ElementTree.parse(report).iter("testcase"):
        bad = any(case.find(kind) is not None for kind in ("failure", "error", "skipped"))
        place = case.attrib["classname"].removeprefix("tests.")
        name = f"{place}: {case.attrib['name'].split('[')[0]}"
        functions[name].append((not bad, float(case.attrib["time"])))
    for name, cases in sorted(functions.items()):
        passed, seconds = sum(ok for ok, _ in cases), sum(time for _, time in cases)
        yield f"| `{name}` | {passed} of {len(cases)} | {seconds:.0f} |"


def commit() -> str:
    """The commit that was tested, marked if the tree had changes."""
    described = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    return subprocess.run(
        described, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


def main() -> int:
    """Run and report."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        status = run(report)
        table = list(rows(report))
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    lines = [
        "# Soak",
        "",
        "Written by `make soak`: the long campaigns, run whole. Property tests run 100,000 cases.",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {machine}, commit {commit()}.",
        "",
        "| test | passed | seconds |",
        "|---|---|---|",
        *table,
    ]
    REPORT.write_text("\n".join(lines) + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
