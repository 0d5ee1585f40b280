"""A smoke of both APIs on VAST: real servers, the real SDK, an emulator; and what reads cost."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from fastapi import FastAPI

from tams_graphql.app import create_app
from tams_graphql.metadata import event_tables, tables
from tests.graphql.test_nested import QUERY, fill
from tests.robustness.stories import external_segment, video_flow
from tests.support.engines import on_vast, settings_on
from tests.support.processes import TamsProcess, start_tams
from tests.vast_emulator.running import Running

pytest.importorskip("vastdb", reason="vastdb is not installed (pip install 'tams-graphql[vast]')")

BACKGROUND = {
    one.name
    for one in (
        tables.DISCARDED_MEDIA,
        tables.COPIES,
        tables.DELETE_REQUESTS,
        *event_tables.TABLES,
    )
}
BYTES = b"a second of media"
STORED = [f"[{second}:0_{second + 1}:0)" for second in range(3)]
Json = dict[str, Any]


class Api(Protocol):
    """What the story needs of either API."""

    def put_flow(self, flow_id: str) -> None: ...

    def allocate(self, flow_id: str, count: int) -> list[tuple[str, str]]: ...

    def register(self, flow_id: str, posts: dict[str, str]) -> None: ...

    def segments(self, flow_id: str) -> list[tuple[str, str]] | None: ...

    def delete_segments(self, flow_id: str, timerange: str) -> None: ...

    def delete_flow(self, flow_id: str) -> None: ...


class Rest:
    """By TAMS 8.2."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def put_flow(self, flow_id: str) -> None:
        body = video_flow(flow_id)
        assert self.http.put(f"/flows/{flow_id}", json=body).status_code == 201

    def allocate(self, flow_id: str, count: int) -> list[tuple[str, str]]:
        answer = self.http.post(f"/flows/{flow_id}/storage", json={"limit": count})
        assert answer.status_code == 201
        return [(one["object_id"], one["put_url"]["url"]) for one in answer.json()["media_objects"]]

    def register(self, flow_id: str, posts: dict[str, str]) -> None:
        body = [{"object_id": one, "timerange": timerange} for one, timerange in posts.items()]
        assert self.http.post(f"/flows/{flow_id}/segments", json=body).status_code == 201

    def segments(self, flow_id: str) -> list[tuple[str, str]] | None:
        if self.http.get(f"/flows/{flow_id}").status_code == 404:
            return None
        found: list[Json] = []
        page = self.http.get(f"/flows/{flow_id}/segments", params={"limit": "2"})
        found += page.raise_for_status().json()
        while "next" in page.links:
            page = self.http.get(page.links["next"]["url"])
            found += page.raise_for_status().json()
        return [(one["timerange"], one["get_urls"][0]["url"]) for one in found]

    def delete_segments(self, flow_id: str, timerange: str) -> None:
        chosen = {"timerange": timerange}
        assert self.http.delete(f"/flows/{flow_id}/segments", params=chosen).status_code == 204

    def delete_flow(self, flow_id: str) -> None:
        assert self.http.delete(f"/flows/{flow_id}").status_code == 204


class Graphql:
    """By mutations and queries."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def ask(self, document: str, **variables: object) -> Json:
        body = {"query": document, "variables": variables}
        answer: Json = self.http.post("/graphql", json=body).raise_for_status().json()
        assert "errors" not in answer, answer
        data: Json = answer["data"]
        return data

    def mutate(self, name: str, wanted: str, **given: object) -> Json:
        kind = name[0].upper() + name[1:] + "Input!"
        ask = f"mutation M($input: {kind}) {{ {name}(input: $input) {{ {wanted} errors {{ code"
        payload: Json = self.ask(ask + " message } } }", input=given)[name]
        assert payload.pop("errors") == []
        return payload

    def put_flow(self, flow_id: str) -> None:
        essence = {"video": {"frameWidth": 1280, "frameHeight": 720, "vfr": True}}
        given = {"flowId": flow_id, "codec": "video/h264", "container": "video/mp2t"}
        assert self.mutate("putFlow", "created", essence=essence, **given) == {"created": True}

    def allocate(self, flow_id: str, count: int) -> list[tuple[str, str]]:
        wanted = "objects { objectId upload { url } }"
        payload = self.mutate("allocateStorage", wanted, flowId=flow_id, count=count)
        return [(one["objectId"], one["upload"]["url"]) for one in payload["objects"]]

    def register(self, flow_id: str, posts: dict[str, str]) -> None:
        segments = [{"objectId": one, "timerange": timerange} for one, timerange in posts.items()]
        wanted = "registeredCount failed { index }"
        payload = self.mutate("registerSegments", wanted, flowId=flow_id, segments=segments)
        assert payload == {"registeredCount": len(posts), "failed": []}

    def segments(self, flow_id: str) -> list[tuple[str, str]] | None:
        page = """query Page($id: UUID!, $after: String) { flow(flowId: $id) {
          segments(first: 2, after: $after) {
            nodes { timerange getUrls { url } } pageInfo { hasNextPage endCursor } } } }"""
        found: list[Json] = []
        info: Json = {"hasNextPage": True, "endCursor": None}
        while info["hasNextPage"]:
            flow = self.ask(page, id=flow_id, after=info["endCursor"])["flow"]
            if flow is None:
                return None
            found += flow["segments"]["nodes"]
            info = flow["segments"]["pageInfo"]
        return [(one["timerange"], one["getUrls"][0]["url"]) for one in found]

    def delete_segments(self, flow_id: str, timerange: str) -> None:
        given = {"flowId": flow_id, "timerange": timerange}
        assert self.mutate("deleteSegments", "deletedCount", **given) == {"deletedCount": 1}

    def delete_flow(self, flow_id: str) -> None:
        assert self.mutate("deleteFlow", "deletedFlowId", flowId=flow_id) == {
            "deletedFlowId": flow_id
        }


def record(api: Api, http: httpx.Client) -> str:
    """A flow with three seconds of uploaded media; its id."""
    flow_id = str(uuid.uuid4())
    api.put_flow(flow_id)
    places = api.allocate(flow_id, len(STORED))
    for _, url in places:
        put = http.put(url, content=BYTES, headers={"content-type": "video/mp2t"})
        assert put.is_success, put.text
    api.register(flow_id, dict(zip((one for one, _ in places), STORED, strict=True)))
    return flow_id


def timeranges(api: Api, flow_id: str) -> list[str] | None:
    """Those of a flow's segments, whose bytes are all there; ``None``: there is no such flow."""
    found = api.segments(flow_id)
    if found is None:
        return None
    assert all(httpx.get(url).content == BYTES for _, url in found)
    return [timerange for timerange, _ in found]


@pytest.fixture(scope="module")
def cluster(vast: Running) -> Iterator[Running]:
    with on_vast(vast):
        yield vast


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("smoke") / "data"


@pytest.fixture
def start(cluster: Running, data: Path) -> Iterator[Any]:
    """Starts servers on one index, and kills them in the end."""
    started: list[TamsProcess] = []

    def start() -> TamsProcess:
        started.append(start_tams(data))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.kill()


def test_what_either_api_stored_is_there_after_a_restart_and_on_a_second_server(start: Any) -> None:
    one = start()
    with httpx.Client(base_url=one.url) as http:
        flow_ids = [record(Rest(http), http), record(Graphql(http), http)]
    one.stop()
    one, other = start(), start()
    with httpx.Client(base_url=one.url) as here, httpx.Client(base_url=other.url) as there:
        for flow_id in flow_ids:
            assert [timeranges(api, flow_id) for api in (Rest(here), Graphql(there))] == [
                STORED
            ] * 2
        pairs: list[tuple[Api, Api]] = [(Rest(here), Graphql(there)), (Graphql(here), Rest(there))]
        for (api, beyond), flow_id in zip(pairs, flow_ids, strict=True):
            api.delete_segments(flow_id, "[0:500000000_2:500000000)")
            assert timeranges(beyond, flow_id) == [STORED[0], STORED[2]]
            api.delete_flow(flow_id)
            assert timeranges(beyond, flow_id) is None


@pytest.fixture
async def app(cluster: Running, tmp_path: Path) -> AsyncIterator[FastAPI]:
    """A server on an index of its own, without a socket."""
    app = create_app(settings_on(tmp_path / "data"))
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    base_url = "http://127.0.0.1:8000"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base_url) as client:
        yield client


async def queries(
    cluster: Running, client: httpx.AsyncClient, document: str, **variables: object
) -> Json:
    """How many queries each table of VAST DB gets for a GraphQL query."""
    cluster.take_queries()
    body = {"query": document, "variables": variables}
    answer = (await client.post("/graphql", json=body)).json()
    assert "errors" not in answer, answer
    return taken(cluster)


def taken(cluster: Running) -> Json:
    """The queries of requests; those of work in the background come whenever they come."""
    return {table: n for table, n in cluster.take_queries().items() if table not in BACKGROUND}


async def test_the_segments_of_a_flow_are_one_query_on_either_api(
    cluster: Running, client: httpx.AsyncClient
) -> None:
    flow = video_flow()
    await client.put(f"/flows/{flow['id']}", json=flow)
    posts = [external_segment(f"take-{second}", second) for second in range(30)]
    await client.post(f"/flows/{flow['id']}/segments", json=posts)
    ask = "query Q($id: UUID!) { flow(flowId: $id) { segments(first: 20) { nodes { %s } } } }"
    for fields in ("timerange", "timerange getUrls { url }"):
        found = await queries(cluster, client, ask % fields, id=flow["id"])
        assert found == {"flows": 1, tables.SEGMENTS.name: 1}
    page = await client.get(f"/flows/{flow['id']}/segments")
    assert len(page.json()) == 30
    assert taken(cluster) == {"flows": 1, tables.SEGMENTS.name: 1}


async def test_one_query_over_many_sources_costs_the_same_as_over_few(
    cluster: Running, app: FastAPI, client: httpx.AsyncClient
) -> None:
    await fill(app.state.server.context(), 50, 25)
    asked = [await queries(cluster, client, QUERY, sources=n) for n in (5, 50)]
    assert asked == [{"sources": 2, "flows": 1, tables.SEGMENTS.name: 1}] * 2
