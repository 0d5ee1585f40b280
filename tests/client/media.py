"""What tests see of media files: decoded pictures and samples, independent of the client."""

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import av

from tams_graphql.client.assemble import SegmentMedia, TrackMedia
from tams_graphql.client.packets import Track, read_tracks
from tams_graphql.client.split import (
    Container,
    Cut,
    MediaObject,
    cut_times,
    objects,
    plan,
    zero_of,
)

Picture = tuple[int, str]
"""Nanoseconds from the file's zero, and a hash of all pixels."""


@dataclass(frozen=True)
class Film:
    """A test film and what it decodes to."""

    path: Path
    rate: Fraction
    pictures: list[Picture]
    samples: "array[float]"
    sample_rate: int


def film(path: Path, rate: Fraction, sample_rate: int = 48_000) -> Film:
    at, samples = sound_of(path)
    assert at == 0
    return Film(path, rate, pictures_of(path), samples, sample_rate)


def pictures_of(path: Path) -> list[Picture]:
    with av.open(str(path)) as container:
        return [
            (
                round(Fraction(frame.pts) * frame.time_base * 10**9),
                hashlib.blake2b(b"".join(bytes(plane) for plane in frame.planes)).hexdigest(),
            )
            for frame in container.decode(video=0)
        ]


def sound_of(path: Path) -> tuple[Fraction, "array[float]"]:
    """When the sound begins (seconds of the file), and the samples of its first channel."""
    start: Fraction | None = None
    samples = array("f")
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            if start is None:
                start = frame.pts * frame.time_base
            samples.frombytes(bytes(frame.planes[0])[: frame.samples * 4])
    assert start is not None
    return start, samples


def farthest(one: Sequence[float], other: Sequence[float]) -> float:
    """The largest difference between two runs of samples of one length."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


@dataclass(frozen=True)
class Split:
    """A track of a file, its plan and its objects."""

    track: Track
    cuts: list[Cut]
    objects: list[MediaObject]


@cache
def split(
    path: Path, container: Container, seconds: int | Fraction = 4, origin_ns: int = 0
) -> dict[str, Split]:
    """All tracks of a file by kind, split; sound is cut where the pictures are."""
    tracks = sorted(read_tracks(path), key=lambda track: track.kind != "video")
    zero = zero_of(tracks)
    targets: list[Fraction] | None = None
    parts = {}
    for track in tracks:
        cuts = plan(
            track, zero=zero, origin_ns=origin_ns, seconds=Fraction(seconds), targets=targets
        )
        targets = cut_times(track, cuts) if track.kind == "video" else targets
        made = list(objects(path, track, cuts, container=container, zero=zero))
        parts[track.kind] = Split(track, cuts, made)
    return parts


def stored(parts: dict[str, Split], rate: Fraction | None) -> list[TrackMedia]:
    """Split tracks as an export finds them in a store."""
    return [
        TrackMedia(
            kind,
            [
                SegmentMedia(item.cut.timerange, item.ts_offset_ns, (item.init or b"") + item.data)
                for item in part.objects
            ],
            rate if kind == "video" else None,
        )
        for kind, part in parts.items()
    ]


def within(pictures: Sequence[Picture], start_ns: int, end_ns: int) -> list[Picture]:
    return [picture for picture in pictures if start_ns <= picture[0] < end_ns]
