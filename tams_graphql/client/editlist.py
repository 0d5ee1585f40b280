"""Edit lists in a finished MP4 file: which part of each track is presented, and when.

FFmpeg's muxer can only hide what lies before a track's start. A frame-exact cut also hides
pictures after its end (later ones refer to them) and between joined pieces, so the edit list
(ISO/IEC 14496-12, 8.6.6) is written here:

1. Find the ``moov`` box, which has to be the file's last.
2. In it, set the presented duration of the movie and of each track, and give each track an
   ``edts`` box after its ``tkhd``.
3. Write it back in place. Sample offsets stay right, as nothing before it moves.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from tams_graphql.client.errors import MediaError

_RATE_ONE: Final = 0x00010000
_EMPTY: Final = -1


@dataclass(frozen=True, slots=True)
class Edit:
    """A stretch of a track's presentation.

    Attributes:
        duration: length in ticks of the movie's timescale.
        media_time: where its media begin, in ticks of the track; ``None`` for nothing at all.
    """

    duration: int
    media_time: int | None


def write_edit_lists(path: Path, edits: Sequence[Sequence[Edit]]) -> None:
    """Give each track of an MP4 file its edit list, replacing none.

    Args:
        path: a file that ends with its ``moov`` box and has no edit lists.
        edits: one list per track, in the order of the file.

    Raises:
        MediaError: not such a file, or another number of tracks.
    """
    with path.open("r+b") as file:
        position, moov = _last_box(file)
        file.seek(position)
        file.write(_box(b"moov", _edited(moov, edits)))
        file.truncate()


def _last_box(file: BinaryIO) -> tuple[int, bytes]:
    """Position and content of ``moov``."""
    end = file.seek(0, 2)
    position = 0
    while position < end:
        file.seek(position)
        header = file.read(16)
        size = int.from_bytes(header[:4], "big")
        if size == 1:
            size = int.from_bytes(header[8:16], "big")
        if header[4:8] == b"moov" and position + size == end:
            file.seek(position + 8)
            return position, file.read(size - 8)
        if size < 8:
            break
        position += size
    raise MediaError("the MP4 file does not end with its index")


def _edited(moov: bytes, edits: Sequence[Sequence[Edit]]) -> bytes:
    durations = [sum(edit.duration for edit in track) for track in edits]
    content, number = b"", 0
    for kind, body in _boxes(moov):
        if kind == b"mvhd":
            content += _box(kind, _with_duration(body, max(durations, default=0), at=(16, 24)))
        elif kind == b"trak":
            if number >= len(edits):
                raise MediaError("the MP4 file has more tracks than were written")
            content += _box(kind, _edited_track(body, edits[number], durations[number]))
            number += 1
        else:
            content += _box(kind, body)
    return content


def _edited_track(trak: bytes, edits: Sequence[Edit], duration: int) -> bytes:
    content = b""
    for kind, body in _boxes(trak):
        if kind == b"tkhd":
            content += _box(kind, _with_duration(body, duration, at=(20, 28)))
            content += _box(b"edts", _box(b"elst", _edit_list(edits)))
        else:
            content += _box(kind, body)
    return content


def _edit_list(edits: Sequence[Edit]) -> bytes:
    """Version 1 of the box: 64-bit durations and times."""
    entries = b"".join(
        struct.pack(
            ">QqI",
            edit.duration,
            _EMPTY if edit.media_time is None else edit.media_time,
            _RATE_ONE,
        )
        for edit in edits
    )
    return struct.pack(">II", 1 << 24, len(edits)) + entries


def _with_duration(body: bytes, duration: int, *, at: tuple[int, int]) -> bytes:
    """A header box with another duration, at one of two places by its version."""
    if body[0] == 0:
        # All ones mean "unknown" in the 32-bit field; so does a duration it cannot hold.
        return body[: at[0]] + struct.pack(">I", min(duration, 2**32 - 1)) + body[at[0] + 4 :]
    return body[: at[1]] + struct.pack(">Q", duration) + body[at[1] + 8 :]


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    while position < len(content):
        size = int.from_bytes(content[position : position + 4], "big")
        if not 8 <= size <= len(content) - position:
            raise MediaError("the MP4 file has a box of impossible size")
        yield content[position + 4 : position + 8], content[position + 8 : position + size]
        position += size


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body
