"""`python -m tests.vast_emulator`: serve until interrupted; the first lines are the URLs."""

import argparse
import socket
import sys
from pathlib import Path
from random import Random

import uvicorn

from .conflicts import Semantics
from .connections import TrackedProtocol
from .database import Database
from .faults import Faults, usual_rules
from .journal import Journal
from .server import Emulator


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.vast_emulator", description=__doc__)
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=9090, help="0 takes a free one")
    add("--nodes", type=int, default=1, help="listen on 127.0.0.1, 127.0.0.2, ..., a line each")
    add("--behind", type=int, default=0, help="commits not seen yet through the later nodes")
    add("--bucket", action="append", help="a bucket that exists (repeatable; default: vastdb)")
    add("--access-key", default="emulator")
    add("--secret-key", default="emulator-secret")
    add("--unsigned", action="store_true", help="don't check signatures")
    add("--version", default="5.5.0.1", help="what the Server header claims")
    add("--data", type=Path, help="directory to keep commits in (default: memory only)")
    add("--conflicts", type=Semantics, choices=list(Semantics), default=Semantics.UPDATER)
    add("--lock-wait", type=float, default=1.0, help="seconds, for read-committed")
    add("--idle-timeout", type=float, help="seconds until an idle transaction is rolled back")
    add("--shuffle", action="store_true", help="mix the order of rows within a page")
    add("--seed", type=int, help="for faults and shuffling")
    add("--latency", type=float, default=0.0, help="seconds added to each request")
    add("--slow-down", type=float, default=0.0, help="share of requests answered 503 SlowDown")
    add("--conflict-rate", type=float, default=0.0, help="share of writes and commits refused")
    add("--drop-before-commit", type=float, default=0.0, help="share of commits lost")
    add("--drop-after-commit", type=float, default=0.0, help="share of commit replies lost")
    return parser.parse_args()


def _emulator(options: argparse.Namespace) -> Emulator:
    random = Random(options.seed)
    rules = usual_rules(
        latency=options.latency,
        slow_down=options.slow_down,
        conflicts=options.conflict_rate,
        drop_before_commit=options.drop_before_commit,
        drop_after_commit=options.drop_after_commit,
    )
    journal = Journal(options.data) if options.data else None
    return Emulator(
        Database(
            options.conflicts, journal, options.idle_timeout, options.lock_wait, options.behind
        ),
        frozenset(options.bucket or ["vastdb"]),
        {} if options.unsigned else {options.access_key: options.secret_key},
        Faults(rules, random),
        options.version,
        random if options.shuffle else None,
        frozenset(_hosts(options)[1:]),
    )


def _hosts(options: argparse.Namespace) -> list[str]:
    if options.nodes == 1:
        return [options.host]
    return [f"127.0.0.{number}" for number in range(1, options.nodes + 1)]


def main() -> None:
    """Serve."""
    options = _options()
    listeners = [socket.create_server((host, options.port)) for host in _hosts(options)]
    config = uvicorn.Config(
        _emulator(options),
        http=TrackedProtocol,
        lifespan="off",
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    for listener in listeners:
        host, port = listener.getsockname()[:2]
        sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    uvicorn.Server(config).run(sockets=listeners)


if __name__ == "__main__":
    main()
