"""Pins that the signing secret is made once, privately, by whichever process comes first."""

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tams_graphql.media.filesystem.secret import load_or_create_secret


def test_it_is_made_once_with_mode_0600(tmp_path: Path) -> None:
    path = tmp_path / "data" / "media.secret"
    secret = load_or_create_secret(path)
    assert len(secret) == 32
    assert load_or_create_secret(path) == secret == path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["media.secret"]
    assert load_or_create_secret(tmp_path / "another") != secret


def test_threads_that_race_get_the_same(tmp_path: Path) -> None:
    for attempt in range(20):
        path = tmp_path / str(attempt) / "media.secret"
        with ThreadPoolExecutor(8) as threads:
            assert len(set(threads.map(load_or_create_secret, [path] * 8))) == 1


def test_processes_that_race_get_the_same(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from tams_graphql.media.filesystem.secret import load_or_create_secret\n"
        "sys.stdin.readline()\n"
        "print(load_or_create_secret(pathlib.Path(sys.argv[1])).hex())\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "media.secret")]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in started:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = {process.communicate()[0] for process in started}
    assert answers == {(tmp_path / "media.secret").read_bytes().hex() + "\n"}


def test_a_file_of_another_size_is_refused(tmp_path: Path) -> None:
    (tmp_path / "media.secret").write_bytes(b"short")
    with pytest.raises(ValueError, match="exactly 32 bytes, not 5"):
        load_or_create_secret(tmp_path / "media.secret")
