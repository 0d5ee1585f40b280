"""Pins what is on disk after crashes, races and tampering."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tams_graphql.media.filesystem import files
from tams_graphql.media.filesystem.files import DamagedError, Draft, Layout, StoredFile
from tams_graphql.media.store import is_key

KEY = "ab" * 16


def stored(layout: Layout, content: bytes, *, replace: bool = True) -> bool:
    draft = Draft(layout)
    draft.append(content)
    draft.seal("video/mp2t")
    published = draft.publish(KEY, replace=replace)
    draft.close()
    return published


def content(layout: Layout) -> bytes:
    with StoredFile(layout.path(KEY)) as file:
        return file.read(0, 1 << 20)


def drafts(layout: Layout) -> list[Path]:
    return list(layout.drafts.iterdir())


def test_keys_are_sharded(tmp_path: Path) -> None:
    assert Layout(tmp_path).path(KEY) == tmp_path / "ab" / "ab" / KEY


@pytest.mark.parametrize(
    "key", ["", "..", "../" * 10 + "ab", "A" * 32, "a" * 31, "a" * 33, "a" * 32 + "\n", "/" * 32]
)
def test_what_is_no_key_never_becomes_a_path(tmp_path: Path, key: str) -> None:
    layout = Layout(tmp_path)
    assert not is_key(key)
    with pytest.raises(ValueError, match="32 hexadecimal digits"):
        layout.path(key)
    stored(layout, b"kept")
    with pytest.raises(ValueError, match="32 hexadecimal digits"):
        layout.delete([KEY, key])
    assert content(layout) == b"kept"


def test_nothing_is_visible_before_it_is_published_nor_left_after_close(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    draft = Draft(layout)
    draft.append(b"bytes")
    draft.seal("video/mp2t")
    assert not layout.path(KEY).exists()
    draft.close()
    draft.close()
    assert drafts(layout) == []
    with pytest.raises(OSError, match="closed"):
        draft.append(b"more")
    with pytest.raises(OSError, match="closed"):
        draft.publish(KEY)
    assert not layout.path(KEY).exists()


def test_the_second_of_two_firsts_is_told_so(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert stored(layout, b"one", replace=False) is True
    assert stored(layout, b"two", replace=False) is False
    assert content(layout) == b"one"
    assert stored(layout, b"three") is True
    assert content(layout) == b"three"
    assert drafts(layout) == []


def test_a_reader_keeps_its_version(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    stored(layout, b"first")
    with StoredFile(layout.path(KEY)) as file:
        stored(layout, b"other bytes")
        assert file.read(0, 99) == b"first"
        layout.delete([KEY, KEY])
        assert file.read(2, 2) == b"rs"
        assert file.read(5, 1) == b""
    layout.delete([KEY])
    with pytest.raises(FileNotFoundError):
        StoredFile(layout.path(KEY))


def test_the_footer_never_counts_as_content(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    stored(layout, b"")
    with StoredFile(layout.path(KEY)) as file:
        assert file.description.size == 0
        assert file.description.content_type == "video/mp2t"
        assert file.read(0, 100) == b""


@pytest.mark.parametrize("keep", [0, 5, 19, 60, -1])
def test_a_file_cut_short_is_damaged_not_shorter(tmp_path: Path, keep: int) -> None:
    layout = Layout(tmp_path)
    stored(layout, b"0123456789")
    path = layout.path(KEY)
    os.truncate(path, keep if keep >= 0 else path.stat().st_size + keep)
    with pytest.raises(DamagedError):
        StoredFile(path)


def test_a_file_that_we_did_not_write_is_damaged(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    stored(layout, b"")
    for foreign in (b"\xff" * 4 + b"TAMSbyt1", b"x" * 500, b"{}\0\0\0\2TAMSbyt1"):
        layout.path(KEY).write_bytes(foreign)
        with pytest.raises(DamagedError):
            StoredFile(layout.path(KEY))


def test_drafts_of_the_living_stay_those_of_the_dead_go(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    code = (
        "import sys, time, pathlib\n"
        "from tams_graphql.media.filesystem.files import Draft, Layout\n"
        "draft = Draft(Layout(pathlib.Path(sys.argv[1])))\n"
        "draft.append(b'half of it')\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        assert writer.stdout.readline() == "ready\n"
        assert layout.sweep() == 0
        assert len(drafts(layout)) == 1
        writer.send_signal(signal.SIGKILL)
    assert layout.sweep() == 1
    assert drafts(layout) == []


def test_without_locks_only_drafts_older_than_a_day_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_try_lock", lambda descriptor, wait: None)
    layout = Layout(tmp_path)
    for name, age in (("young", 3600), ("old", 90_000)):
        path = layout.drafts / name
        path.touch()
        os.utime(path, (time.time() - age,) * 2)
    assert layout.sweep() == 1
    assert [path.name for path in drafts(layout)] == ["young"]


def test_bytes_are_durable_before_they_are_named_and_names_before_they_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(tmp_path)
    steps: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def recorded_fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        steps.append("fsync file" if path.parent == layout.drafts else f"fsync {path.name}")
        fsync(descriptor)

    def recorded_rename(path: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(Path, "rename", recorded_rename)
    stored(layout, b"bytes")
    assert steps == ["fsync file", "rename", "fsync ab", "fsync ab", f"fsync {tmp_path.name}"]
