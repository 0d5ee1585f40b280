"""A test film: its own running time in large digits, a moving bar, and a tone.

Every picture differs from every other, so that a wrong one is noticed by eye and by test.
"""

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av

# Five rows of three dots per glyph, as octal digits.
_FONT: Final = {
    "0": (7, 5, 5, 5, 7), "1": (2, 6, 2, 2, 7), "2": (7, 1, 7, 4, 7), "3": (7, 1, 7, 1, 7),
    "4": (5, 5, 7, 1, 1), "5": (7, 4, 7, 1, 7), "6": (7, 4, 7, 5, 7), "7": (7, 1, 1, 1, 1),
    "8": (7, 5, 7, 5, 7), "9": (7, 5, 7, 1, 7), ":": (0, 2, 0, 2, 0), ".": (0, 0, 0, 0, 2),
}  # fmt: skip
_WHITE: Final = b"\xeb"
_BLACK: Final = b"\x10"
_TONE_HZ: Final = 440
_AUDIO_FRAME: Final = 1024


@dataclass(frozen=True, slots=True)
class FilmFormat:
    """How a test film is made.

    Attributes:
        seconds: duration; rounded up to whole pictures.
        width: picture width in pixels, even.
        height: picture height in pixels, even.
        rate: pictures per second.
        key_frame_s: seconds between key frames.
        sample_rate: audio samples per second.
        preset: speed of the H.264 encoder.
    """

    seconds: Fraction = Fraction(30)
    width: int = 1280
    height: int = 720
    rate: Fraction = Fraction(25)
    key_frame_s: Fraction = Fraction(1)
    sample_rate: int = 48_000
    preset: str = "veryfast"


def make_film(path: Path, film: FilmFormat, proxy: Path | None = None) -> None:
    """Write a test film with H.264 video (with B-frames) and AAC stereo sound.

    Args:
        path: the file to write, its suffix a container that FFmpeg knows.
        film: what it should be like.
        proxy: where to write the same pictures at a quarter of the width, without sound.
    """
    with av.open(str(path), "w") as out:
        video = _video_stream(out, film, film.width, film.height)
        audio: Any = out.add_stream("aac", rate=film.sample_rate, layout="stereo", bit_rate=128_000)
        small = None if proxy is None else _Proxy(proxy, film)
        sound = _sound(film)
        for picture in _pictures(film):
            out.mux(video.encode(picture))
            if small is not None:
                small.add(picture)
            # Sound follows the pictures closely, or the file is badly interleaved.
            for frame in sound:
                out.mux(audio.encode(frame))
                if frame.pts * film.rate >= picture.pts * film.sample_rate:
                    break
        for frame in sound:
            out.mux(audio.encode(frame))
        out.mux(video.encode(None))
        out.mux(audio.encode(None))
        if small is not None:
            small.close()


class _Proxy:
    """The film once more, smaller."""

    def __init__(self, path: Path, film: FilmFormat) -> None:
        self._size = (film.width // 8 * 2, film.height // 8 * 2)
        self._out = av.open(str(path), "w")
        self._stream = _video_stream(self._out, film, *self._size)

    def add(self, picture: Any) -> None:
        """Encode a picture at the smaller size."""
        small = picture.reformat(*self._size)
        small.pts, small.time_base = picture.pts, picture.time_base
        self._out.mux(self._stream.encode(small))

    def close(self) -> None:
        """Finish the file."""
        self._out.mux(self._stream.encode(None))
        self._out.close()


def _video_stream(out: Any, film: FilmFormat, width: int, height: int) -> Any:
    stream = out.add_stream("libx264", rate=film.rate)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.options = {
        "preset": film.preset,
        "bf": "2",
        "g": str(math.ceil(film.key_frame_s * film.rate)),
        # With its macroblock tree x264 does not encode the same pictures to the same bytes twice,
        # and a film made again could not be recognised as the same.
        "x264-params": "scenecut=0:open-gop=0:mbtree=0",
    }
    return stream


def _pictures(film: FilmFormat) -> Iterator[Any]:
    width, height = film.width, film.height
    backdrop = b"".join(bytes([40 + 120 * y // height]) * width for y in range(height))
    for number in range(math.ceil(film.seconds * film.rate)):
        luma = bytearray(backdrop)
        _bar(luma, width, height, number)
        _write(luma, width, height, _running_time(number, film.rate))
        picture = av.VideoFrame(width, height, "yuv420p")
        _fill(picture.planes[0], luma, width)
        # A hue that turns slowly, once in ten seconds.
        turn = 2 * math.pi * number / (10 * float(film.rate))
        for plane, shade in zip(picture.planes[1:], (math.cos(turn), math.sin(turn)), strict=True):
            plane.update(bytes([128 + round(40 * shade)]) * plane.buffer_size)
        picture.pts, picture.time_base = number, 1 / film.rate
        yield picture


def _running_time(number: int, rate: Fraction) -> str:
    """``mm:ss.ff``: minutes, seconds and pictures."""
    seconds = int(number / rate)
    picture = number - math.ceil(seconds * rate)
    return f"{seconds // 60:02}:{seconds % 60:02}.{picture:02}"


def _bar(luma: bytearray, width: int, height: int, number: int) -> None:
    thickness = max(4, width // 40)
    left = number * max(2, width // 160) % (width - thickness)
    for y in range(height * 3 // 4, height - height // 12):
        luma[y * width + left : y * width + left + thickness] = _WHITE * thickness


def _write(luma: bytearray, width: int, height: int, text: str) -> None:
    dot = max(1, width // (4 * (len(text) + 2)))
    left, top = (width - (4 * len(text) - 1) * dot) // 2, height // 4
    for row in range(7):
        line = _row(text, row - 1, dot)
        for y in range(top + row * dot, top + (row + 1) * dot):
            luma[y * width + left : y * width + left + len(line)] = line


def _row(text: str, row: int, dot: int) -> bytes:
    """One row of dots of a text, white on black; a row above and below is empty."""
    dots = ""
    for glyph in text:
        bits = _FONT[glyph][row] if 0 <= row < 5 else 0
        dots += f"{bits:03b}0"
    return b"".join((_WHITE if bit == "1" else _BLACK) * dot for bit in dots[:-1])


def _fill(plane: Any, pixels: bytearray, width: int) -> None:
    if plane.line_size == width:
        plane.update(bytes(pixels))
        return
    padding = bytes(plane.line_size - width)
    rows = (pixels[y : y + width] + padding for y in range(0, len(pixels), width))
    plane.update(b"".join(rows))


def _sound(film: FilmFormat) -> Iterator[Any]:
    """A quiet tone, louder for a tenth of a second at the start of every second."""
    total = math.ceil(film.seconds * film.sample_rate)
    beat, step = film.sample_rate, 2 * math.pi * _TONE_HZ / film.sample_rate
    # Both repeat every second (the tone is a whole number of waves), so one is computed.
    second = array("f")
    for at in range(beat):
        level = math.sin(step * at) * (0.3 if at < beat // 10 else 0.05)
        second.extend((level, level))
    whole = second.tobytes()
    for start in range(0, total, _AUDIO_FRAME):
        count = min(_AUDIO_FRAME, total - start)
        frame = av.AudioFrame("flt", "stereo", count)
        first = start % beat * 8
        samples = (whole[first:] + whole)[: count * 8]
        frame.planes[0].update(samples + bytes(frame.planes[0].buffer_size - len(samples)))
        frame.sample_rate, frame.pts = film.sample_rate, start
        frame.time_base = Fraction(1, film.sample_rate)
        yield frame
