"""Technical metadata of flows, read from a file's streams (spec 8.2, ``flow-video.json`` …)."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from tams_graphql.client.packets import AUDIO, VIDEO, Track, codec_name, nearest, open_input
from tams_graphql.client.split import Container, Cut

Json = dict[str, Any]

_CODECS: Final = {
    "h264": "video/h264",
    "hevc": "video/h265",
    "mpeg2video": "video/mpeg",
    "av1": "video/AV1",
    "vp9": "video/VP9",
    "vvc": "video/H266",
    "aac": "audio/aac",
    "ac3": "audio/ac3",
    "eac3": "audio/eac3",
    "opus": "audio/opus",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "mp2": "audio/mpeg",
}
# Code points of ISO/IEC 23091-2, as FFmpeg numbers them.
_COLORSPACES: Final = {1: "BT709", 5: "BT601", 6: "BT601", 9: "BT2020", 10: "BT2020"}
_TRANSFERS: Final = {1: "SDR", 6: "SDR", 14: "SDR", 15: "SDR", 16: "PQ", 18: "HLG"}
_AAC_OBJECT_TYPES: Final = {"Main": 1, "LC": 2, "SSR": 3, "LTP": 4, "HE-AAC": 5, "HE-AACv2": 29}
_AVC_SPS: Final = 7


@dataclass(frozen=True, slots=True)
class Essence:
    """What a flow of one stream says about itself.

    Attributes:
        format: the flow's format URN.
        technical: ``codec``, ``container``, bit rates, ``essence_parameters`` and so on.
        frame_rate: pictures per second of video at a fixed rate, else ``None``.
    """

    format: str
    technical: Json
    frame_rate: Fraction | None


def describe(
    path: Path, track: Track, cuts: Sequence[Cut], container: Container, segment_s: Fraction
) -> Essence:
    """The technical metadata of the flow that a track becomes.

    Args:
        path: the file.
        track: the stream's packet times.
        cuts: the planned segments.
        container: how objects are wrapped.
        segment_s: target duration of segments in seconds.
    """
    rate = frame_rate(path, track)
    with open_input(path) as media:
        stream: Any = media.streams[track.index]
        essence = _video(stream, rate) if track.kind == VIDEO else _audio(stream, track)
        codec = _codec(codec_name(stream) or "unknown", track.kind)
    if container.has_init:
        essence["init_segments"] = True
    average, highest = _bit_rates(track, cuts)
    technical: Json = {
        "codec": codec,
        "container": f"{track.kind}/mp4" if container.has_init else "video/mp2t",
        "avg_bit_rate": average,
        "max_bit_rate": highest,
        "segment_duration": _ratio(segment_s),
        "essence_parameters": essence,
    }
    return Essence(f"urn:x-nmos:format:{track.kind}", technical, rate)


def frame_rate(path: Path, track: Track) -> Fraction | None:
    """The fixed rate at which the pictures of a track follow each other, if they do.

    Fixed means that each picture lies within a tick of the file's clock of its place in the grid.
    """
    if track.kind != VIDEO:
        return None
    with open_input(path) as media:
        stream: Any = media.streams[track.index]
        candidates = {stream.average_rate, stream.guessed_rate}
    pts = sorted(track.pts)
    for rate in filter(None, candidates):
        step = 1 / (rate * track.time_base)
        if all(abs(at - pts[0] - n * step) <= 1 for n, at in enumerate(pts)):
            return Fraction(rate)
    return None


def _video(stream: Any, rate: Fraction | None) -> Json:
    codec = stream.codec_context
    facts: Json = {"frame_width": codec.width, "frame_height": codec.height}
    facts.update({"vfr": True} if rate is None else {"frame_rate": _ratio(rate)})
    if codec.format is not None and not codec.format.is_rgb:
        facts |= {
            "bit_depth": codec.format.components[0].bits,
            "component_type": "YCbCr",
            "horiz_chroma_subs": max(
                1, codec.width // max(1, codec.format.chroma_width(codec.width))
            ),
            "vert_chroma_subs": max(
                1, codec.height // max(1, codec.format.chroma_height(codec.height))
            ),
        }
    facts |= _colour(codec) | _shape(codec)
    avc = _avc_parameters(codec.extradata) if codec_name(stream) == "h264" else None
    return facts if avc is None else facts | {"avc_parameters": avc}


def _colour(codec: Any) -> Json:
    transfer = _TRANSFERS.get(int(codec.color_trc))
    space = _COLORSPACES.get(int(codec.colorspace))
    if space == "BT2020" and transfer in {"PQ", "HLG"}:
        space = "BT2100"
    found = {"colorspace": space, "transfer_characteristic": transfer}
    return {name: value for name, value in found.items() if value is not None}


def _shape(codec: Any) -> Json:
    pixel = Fraction(codec.sample_aspect_ratio or 1)
    picture = pixel * Fraction(codec.width, codec.height)
    return {"aspect_ratio": _ratio(picture), "pixel_aspect_ratio": _ratio(pixel)}


def _audio(stream: Any, track: Track) -> Json:
    codec = stream.codec_context
    facts: Json = {"sample_rate": codec.sample_rate, "channels": codec.channels}
    if codec.name.startswith("pcm_"):
        return facts | {
            "bit_depth": codec.format.bits,
            "unc_parameters": {"unc_type": "interleaved"},
        }
    length = nearest(track.duration[0] * track.time_base * codec.sample_rate)
    parameters: Json = {"coded_frame_size": length}
    if codec.name == "aac" and codec.profile in _AAC_OBJECT_TYPES:
        parameters["mp4_oti"] = _AAC_OBJECT_TYPES[codec.profile]
    return facts | {"codec_parameters": parameters}


def _codec(name: str, kind: str) -> str:
    if name.startswith("pcm_"):
        return "audio/x-raw-float" if name.startswith("pcm_f") else "audio/x-raw-int"
    return _CODECS.get(name, f"{AUDIO if kind == AUDIO else VIDEO}/x-{name}")


def _avc_parameters(extradata: bytes | None) -> Json | None:
    """Profile, constraint flags and level: the three bytes after the SPS header."""
    if not extradata:
        return None
    if extradata[0] == 1:
        profile, flags, level = extradata[1:4]
        return {"profile": profile, "level": level, "flags": flags}
    for unit in extradata.split(b"\x00\x00\x01")[1:]:
        if len(unit) >= 4 and unit[0] & 0x1F == _AVC_SPS:
            return {"profile": unit[1], "level": unit[3], "flags": unit[2]}
    return None


def _bit_rates(track: Track, cuts: Sequence[Cut]) -> tuple[int, int]:
    """Average and highest rate over segments, in 1000 bits per second, rounded up."""
    rates = []
    bits = 8 * sum(track.size)
    for cut in cuts:
        span = cut.timerange.duration_ns
        if span:
            rates.append(Fraction(8_000_000 * sum(track.size[cut.first : cut.stop]), span))
    average = Fraction(bits, 1000) / (track.end - track.start)
    return -(-average // 1), -(-max(rates, default=average) // 1)


def _ratio(value: Fraction) -> Json:
    return {"numerator": value.numerator, "denominator": value.denominator}
