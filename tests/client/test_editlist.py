"""Edit lists: written where they belong, and nowhere else."""

import struct
from pathlib import Path

import pytest

from tams_graphql.client.editlist import Edit, write_edit_lists
from tams_graphql.client.errors import MediaError


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", len(body) + 8) + kind + body


MEDIA = box(b"ftyp", b"isom") + struct.pack(">I4sQ", 1, b"mdat", 20) + b"data"
TRACK = box(b"trak", box(b"tkhd", bytes(84)), box(b"mdia", b"..."))
MOVIE = box(b"moov", box(b"mvhd", bytes(100)), TRACK)


def test_each_track_gets_its_list_and_the_longest_duration_is_the_movies(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(MEDIA + MOVIE)
    write_edit_lists(path, [[Edit(250, None), Edit(1000, 512)]])
    entries = struct.pack(">IIQqIQqI", 1 << 24, 2, 250, -1, 1 << 16, 1000, 512, 1 << 16)
    track = box(
        b"trak",
        box(b"tkhd", bytes(20), struct.pack(">I", 1250), bytes(60)),
        box(b"edts", box(b"elst", entries)),
        box(b"mdia", b"..."),
    )
    movie = box(b"mvhd", bytes(16), struct.pack(">I", 1250), bytes(80))
    assert path.read_bytes() == MEDIA + box(b"moov", movie, track)


@pytest.mark.parametrize(
    "content", [b"", b"no boxes at all here", MEDIA, MOVIE + MEDIA, MEDIA + MOVIE[:-3]]
)
def test_a_file_without_its_index_at_the_end_is_left_alone(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    with pytest.raises(MediaError, match="does not end with its index"):
        write_edit_lists(path, [[Edit(1, 0)]])
    assert path.read_bytes() == content


def test_a_list_for_every_track_is_required(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(MEDIA + MOVIE)
    with pytest.raises(MediaError, match="more tracks than were written"):
        write_edit_lists(path, [])
