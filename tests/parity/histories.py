"""What the machine draws from: few names, so that things meet; every shape, refused ones too."""

from typing import Any

from hypothesis import strategies as st

from tests.parity.spans import NS, Span
from tests.parity.store import Json, Listing
from tests.parity.words import FORMATS
from tests.rest_compat.stories import uuid4

FLOW_IDS = [uuid4(number) for number in range(1, 6)]
SOURCE_IDS = [uuid4(number) for number in range(101, 105)]
PROFILE_IDS = [uuid4(number) for number in range(201, 204)]
OBJECT_IDS = ["take-1", "take/2 a,b", "täke%3", "init-1"]
URL_LABELS = ["cdn", "elsewhere", "local"]
EVENTS = ["flows/created", "flows/updated", "flows/segments_added", "sources/deleted"]

flow_ids = st.sampled_from(FLOW_IDS)
source_ids = st.sampled_from(SOURCE_IDS)
profile_ids = st.sampled_from(PROFILE_IDS)
ANY = 16
picks = st.integers(0, ANY + 4)
"""One of those that there are; from `ANY` on, one of all those that there may be."""

texts = st.sampled_from(["alpha", "Beta", "beta", "", "émigré", "日本"])
rates = st.sampled_from([0, 128, 5000])
tag_names = st.sampled_from(["kind", "a.b", "x/y z", "_"])
tag_words = st.sampled_from(["one", "two", "", "ä"])
tag_values = st.one_of(tag_words, st.lists(tag_words, max_size=2))
tags = st.dictionaries(tag_names, tag_values, max_size=2)
urns = st.sampled_from(list(FORMATS.values()))
collections = st.lists(
    st.fixed_dictionaries({"id": flow_ids}, optional={"role": st.sampled_from(["left", "right"])}),
    max_size=3,
)

_ESSENCES: dict[str, Json] = {
    "VIDEO": {"frame_width": 1920, "frame_height": 1080, "frame_rate": {"numerator": 25}},
    "AUDIO": {"sample_rate": 48_000, "channels": 2},
    "DATA": {"data_type": "urn:x-tam:data:text"},
    "IMAGE": {"frame_width": 640, "frame_height": 480},
}


def _some(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """At most two of these."""
    one = st.sampled_from(sorted(values)).flatmap(
        lambda name: st.tuples(st.just(name), values[name])
    )
    return st.lists(one, max_size=2, unique_by=lambda pair: pair[0]).map(dict)


@st.composite
def technical(
    draw: st.DrawFn, kinds: tuple[str, ...] = ("VIDEO", "AUDIO", "DATA", "IMAGE")
) -> Json:
    """Technical metadata, of which formats differ as little as they may."""
    kind = draw(st.sampled_from(kinds))
    essence = dict(_ESSENCES[kind])
    if kind in {"VIDEO", "AUDIO"} and draw(st.integers(0, 2)) == 2:
        essence["init_segments"] = True
    return {
        "format": FORMATS[kind],
        "codec": draw(st.sampled_from([f"{kind.lower()}/a", "x/raw"])),
        "essence_parameters": essence,
        **draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "avg_bit_rate": rates,
                    "segment_duration": st.just({"numerator": 2}),
                },
            )
        ),
        **({} if draw(st.integers(0, 9)) == 9 else {"container": "video/mp2t"}),
    }


_common = st.fixed_dictionaries(
    {"source_id": source_ids},
    optional={
        "label": texts,
        "description": texts,
        "tags": tags,
        "max_bit_rate": rates,
        "flow_collection": collections,
        "status": st.sampled_from(["ingesting", "closed_complete"]),
        "generation": st.integers(0, 2),
        "created_by": texts,
        "updated_by": texts,
        "metadata_version": st.sampled_from(["v1", "v2"]),
    },
)


@st.composite
def flow_bodies(draw: st.DrawFn) -> Json:
    """Flows of every kind, some made from a profile, a few with what can't go with it."""
    common = draw(_common)
    kind = draw(st.sampled_from(["plain"] * 9 + ["multi", "made", "made", "unlinked", "both"]))
    if kind == "multi":
        return {**common, "format": FORMATS["MULTI"]}
    profile = draw(profile_ids) if kind in {"made", "both"} else ""
    link = {} if kind == "plain" else {"profile_id": profile}
    return {**common, **link, **({} if kind == "made" else draw(technical()))}


profiles = st.fixed_dictionaries(
    {"flow_metadata": technical()}, optional={"label": texts, "description": texts, "tags": tags}
)

_half_seconds = st.integers(-3, 50).map(lambda half: half * NS // 2)


@st.composite
def places(draw: st.DrawFn) -> Span:
    """Where a segment may lie: up to three seconds, or an instant."""
    start = draw(_half_seconds)
    length = draw(st.integers(0, 4)) * NS // 2
    closed = length == 0 or draw(st.booleans())
    return Span(start, start + length + closed, closed)


timestamps = st.sampled_from(["0:0", "1:0", "-1:500000000", "0:40000000"])
get_urls = st.lists(
    st.fixed_dictionaries(
        {
            "url": st.sampled_from(["https://a.example/1", "https://a.example/2"]),
            "label": st.sampled_from(URL_LABELS),
        }
    ),
    max_size=2,
)
segment_details = _some(
    ts_offset=timestamps,
    object_timerange=places().map(str),
    last_duration=st.sampled_from(["0:40000000", "0:0"]),
    key_frame_count=st.integers(0, 2),
    get_urls=get_urls,
)
bad_timeranges = st.sampled_from(
    [
        *("nonsense", "[5:0_1:0)", "_", "()", "(1:0_2:0)", "[0:0_", "[1:1000000000_2:0)"),
        *("[0:0_9223372037:0)", "[01:0_2:0)", "[1.5:0_2:0)"),
    ]
)
ranges = st.one_of(
    places().map(str),
    st.sampled_from(
        [
            *("_", "()", "[0:0_5:0)", "(2:0_6:0]", "[3:0_", "_4:0)", "[2:0]", "(-1:0_20:0)"),
            *("[0:0_99999999999:0)", "[99999999998:0_99999999999:0)"),
        ]
    ),
)
any_ranges = st.one_of(ranges, ranges, ranges, st.sampled_from(["nonsense", "[9:0_3:0)"]))

_tag_conditions = st.lists(
    st.tuples(
        tag_names,
        st.one_of(st.booleans(), st.lists(tag_words.filter(bool), min_size=1, max_size=2)),
    ),
    max_size=2,
    unique_by=lambda one: one[0],
)


def _listings(filters: st.SearchStrategy[Json], *sorts: str) -> st.SearchStrategy[Listing]:
    return st.builds(
        Listing,
        filters=filters,
        tags=_tag_conditions,
        sort=st.sampled_from(sorts),
        reverse=st.booleans(),
        limit=st.integers(1, 3),
    )


flow_listings = _listings(
    _some(
        source_id=source_ids,
        timerange=any_ranges,
        format=urns,
        codec=st.sampled_from(["video/a", "x/raw"]),
        profile_id=profile_ids,
        label=texts,
        status=st.sampled_from(["ingesting", "closed_complete"]),
        frame_width=st.sampled_from([640, 1920]),
        init_segments=st.booleans(),
        collected_by_ids=st.lists(flow_ids, max_size=2, unique=True),
    ),
    *("created", "metadata_updated", "label"),
)
source_listings = _listings(
    _some(format=urns, label=texts, collected_by_ids=st.lists(source_ids, max_size=2, unique=True)),
    *("created", "updated", "label"),
)
segment_listings = st.builds(
    Listing,
    filters=st.fixed_dictionaries({}, optional={"timerange": any_ranges}),
    reverse=st.booleans(),
    limit=st.integers(1, 3),
)
profile_listings = st.builds(
    Listing,
    filters=_some(format=urns, codec=st.just("x/raw"), label=texts),
    sort=st.just("label"),
    limit=st.integers(1, 2),
)
webhook_listings = st.builds(
    Listing, tags=_tag_conditions, reverse=st.booleans(), limit=st.integers(1, 2)
)
tag_conditions = _tag_conditions
webhooks = st.fixed_dictionaries(
    {"events": st.lists(st.sampled_from(EVENTS), unique=True, min_size=1, max_size=2)},
    optional={
        "api_key_name": st.just("X-Key"),
        "flow_ids": st.lists(flow_ids, max_size=1),
        "flow_collected_by_ids": st.lists(flow_ids, max_size=1),
        "presigned": st.booleans(),
        "tags": tags,
    },
)
