"""Filters of the listings, and what a Flow tells of its time."""

import httpx
import pytest

from tests.rest_compat.stories import allocate, multi, put_flow, register, seconds, uuid4, video

CAMERA, SOUND, EMPTY, SHOW = (uuid4(n) for n in (1, 2, 3, 4))


@pytest.fixture
async def catalogue(client: httpx.AsyncClient) -> None:
    """A camera with content, sound, a flow without content, and the show that collects two."""
    await put_flow(
        client,
        video(CAMERA, uuid4(101), label="camera", status="ingesting", tags={"a/b": ["x", "y"]}),
    )
    sound = {
        "id": SOUND,
        "source_id": uuid4(102),
        "format": "urn:x-nmos:format:audio",
        "codec": "audio/aac",
        "container": "audio/mp4",
        "essence_parameters": {"sample_rate": 48000, "channels": 2},
        "tags": {"a/b": "x", "empty": ""},
    }
    await put_flow(client, sound)
    await put_flow(client, video(EMPTY, uuid4(103), label=""))
    await put_flow(client, multi(SHOW, uuid4(104), CAMERA, SOUND))
    for flow_id in (CAMERA, SOUND):
        name = f"of {flow_id}"
        await allocate(client, flow_id, name)
        await register(client, flow_id, {"object_id": name, "timerange": seconds(10, 20)})


FILTERS = [
    ("", [SHOW, EMPTY, SOUND, CAMERA]),
    (f"source_id={uuid4(102)}", [SOUND]),
    ("format=urn:x-nmos:format:video", [EMPTY, CAMERA]),
    ("codec=audio/aac", [SOUND]),
    ("label=camera", [CAMERA]),
    ("label=", [EMPTY]),
    ("status=ingesting", [CAMERA]),
    ("frame_width=1920&frame_height=1080", [EMPTY, CAMERA]),
    ("frame_width=-1", []),
    ("init_segments=true", []),
    (f"profile_id={uuid4(9)}", []),
    ("timerange=_", [SHOW, EMPTY, SOUND, CAMERA]),
    ("timerange=()", [SHOW, EMPTY]),
    ("timerange=[0:0_10:0)", []),
    ("timerange=[0:0_10:0]", [SOUND, CAMERA]),
    ("timerange=[0:0_99999999999999:0)", [SOUND, CAMERA]),
    ("tag.a/b=y", [CAMERA]),
    ("tag.a%2Fb=y,x", [SOUND, CAMERA]),
    ("tag.a/b=x%2Cz", [SOUND, CAMERA]),
    ("tag.empty=", [SOUND]),
    ("tag_exists.a/b=false", [SHOW, EMPTY]),
    ("tag_exists.a/b=true&tag_exists.empty=false", [CAMERA]),
    (f"collected_by_ids={SHOW}", [SOUND, CAMERA]),
    (f"collected_by_ids={uuid4(9)},{SHOW}", [SOUND, CAMERA]),
    ("collected_by_ids=", [SHOW, EMPTY]),
    ("tagged=yes&nonsense=1", [SHOW, EMPTY, SOUND, CAMERA]),
]


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize(("query", "ids"), FILTERS, ids=[f[0] for f in FILTERS])
async def test_flows_are_filtered(client: httpx.AsyncClient, query: str, ids: list[str]) -> None:
    response = await client.get(f"/flows?{query}")
    assert response.status_code == 200, response.text
    assert [flow["id"] for flow in response.json()] == ids


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("format=urn:x-nmos:format:multi", [uuid4(104)]),
        (f"collected_by_ids={uuid4(104)}", [uuid4(102), uuid4(101)]),
        ("collected_by_ids=", [uuid4(104), uuid4(103)]),
        ("label=absent", []),
        ("tag_exists.a/b=false&sort_by=created&reverse_order=true&limit=1", None),
    ],
)
async def test_sources_are_filtered(
    client: httpx.AsyncClient, query: str, ids: list[str] | None
) -> None:
    response = await client.get(f"/sources?{query}")
    assert response.status_code == 200, response.text
    if ids is not None:
        assert [source["id"] for source in response.json()] == ids


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize(
    ("query", "labels"),
    [
        ("", ["archive", "disk"]),
        ("?reverse_order=true", ["disk", "archive"]),
        ("?tag.copies=three", ["archive"]),
        ("?tag_exists.tier=false", ["disk"]),
    ],
)
async def test_storage_backends_are_filtered(
    client: httpx.AsyncClient, query: str, labels: list[str]
) -> None:
    response = await client.get(f"/service/storage-backends{query}")
    assert [backend["label"] for backend in response.json()] == labels


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize(
    ("query", "timerange"),
    [
        ("", None),
        ("?include_timerange=false&timerange=_", None),
        ("?timerange=[0:0_15:0)", None),
        ("?include_timerange=true", "[10:0_20:0)"),
        ("?include_timerange=true&timerange=_", "[10:0_20:0)"),
        ("?include_timerange=true&timerange=[0:0_15:0)", "[10:0_20:0)"),
        ("?include_timerange=true&timerange=[0:0_5:0)", "()"),
        ("?include_timerange=true&timerange=()", "()"),
    ],
)
async def test_a_flow_tells_its_timerange_when_asked(
    client: httpx.AsyncClient, query: str, timerange: str | None
) -> None:
    flow = (await client.get(f"/flows/{CAMERA}{query}")).json()
    assert flow.get("timerange") == timerange
