"""What flows say about their media, against the film's known facts."""

from fractions import Fraction

import pytest

from tams_graphql.client.split import Container
from tams_graphql.client.technical import describe

from . import media


def technical(film: media.Film, kind: str, container: Container) -> dict[str, object]:
    part = media.split(film.path, container)[kind]
    return describe(film.path, part.track, part.cuts, container, Fraction(4)).technical


def test_video(minute: media.Film) -> None:
    facts = technical(minute, "video", Container.TS)
    rates = facts.pop("avg_bit_rate"), facts.pop("max_bit_rate")
    assert 0 < rates[0] <= rates[1] < 2000
    assert facts == {
        "codec": "video/h264",
        "container": "video/mp2t",
        "segment_duration": {"numerator": 4, "denominator": 1},
        "essence_parameters": {
            "frame_width": 320,
            "frame_height": 180,
            "frame_rate": {"numerator": 25, "denominator": 1},
            "bit_depth": 8,
            "component_type": "YCbCr",
            "horiz_chroma_subs": 2,
            "vert_chroma_subs": 2,
            "aspect_ratio": {"numerator": 16, "denominator": 9},
            "pixel_aspect_ratio": {"numerator": 1, "denominator": 1},
            # Main profile (ultrafast encodes with B-frames but without CABAC), level 1.2.
            "avc_parameters": {"profile": 77, "level": 12, "flags": 0x40},
        },
    }


def test_audio(minute: media.Film) -> None:
    facts = technical(minute, "audio", Container.FMP4)
    assert facts["codec"] == "audio/aac"
    assert facts["container"] == "audio/mp4"
    assert facts["essence_parameters"] == {
        "sample_rate": 48_000,
        "channels": 2,
        "codec_parameters": {"coded_frame_size": 1024, "mp4_oti": 2},
        "init_segments": True,
    }


@pytest.mark.parametrize(("name", "numerator"), [("ntsc", 30_000), ("cinema", 24_000)])
def test_rates_that_are_no_whole_number_of_pictures(
    name: str, numerator: int, request: pytest.FixtureRequest
) -> None:
    essence = technical(request.getfixturevalue(name), "video", Container.TS)["essence_parameters"]
    assert isinstance(essence, dict)
    assert essence["frame_rate"] == {"numerator": numerator, "denominator": 1001}
