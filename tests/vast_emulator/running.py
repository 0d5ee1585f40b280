"""Run the emulator as a process of its own, for tests and tools."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ACCESS_KEY, SECRET_KEY, BUCKET = "emulator", "emulator-secret", "vastdb"
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Running:
    """An emulator that listens; `urls` has an address for each of its nodes."""

    url: str
    process: "subprocess.Popen[str]"
    urls: tuple[str, ...]

    def _control(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_emulator/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def set_faults(self, *rules: Mapping[str, Any]) -> None:
        """Replace the fault rules; see `faults.Rule` for the fields."""
        self._control("PUT", "faults", rules)

    def faults_struck(self) -> dict[str, int]:
        """How often each action has struck so far."""
        struck: dict[str, int] = self._control("GET", "faults")["struck"]
        return struck

    def take_requests(self) -> dict[str, int]:
        """Requests since the last call, counted as `METHOD command`."""
        return self._take("requests")

    def take_queries(self) -> dict[str, int]:
        """Pages of queries (`GET data`) since the last call, counted by the name of the table."""
        return self._take("queries")

    def _take(self, kind: str) -> dict[str, int]:
        counts: dict[str, int] = self._control("GET", kind)
        self._control("DELETE", kind)
        return counts

    def open_transactions(self) -> int:
        """How many are open now."""
        return int(self._control("GET", "health")["open_transactions"])

    def kill(self) -> None:
        """As a power cut would."""
        self.process.kill()
        self.process.wait()


@contextmanager
def emulator(*options: str, port: int = 0, nodes: int = 1) -> Iterator[Running]:
    """Start one with these command-line options, and stop it in the end."""
    command: Sequence[str] = [
        sys.executable, "-m", "tests.vast_emulator", "--port", str(port), "--nodes", str(nodes),
        *options,
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            urls = tuple(process.stdout.readline().strip() for _ in range(nodes))
            if not all(urls):
                raise RuntimeError("The emulator did not start")
            yield Running(urls[0], process, urls)
        finally:
            process.terminate()
            process.wait(timeout=10)
