"""The REST client against servers unlike ours: slow, old, failing, and partly refusing."""

import json
from collections.abc import Callable

import httpx
import pytest

from tams_graphql.client.errors import RegistrationError, RequestError
from tams_graphql.client.tams import Allocation, Server, TamsClient
from tams_graphql.timeline import TimeRange

FLOW = "11111111-1111-4111-8111-111111111111"
Handler = Callable[[httpx.Request], httpx.Response]


def client(handler: Handler, **options: object) -> TamsClient:
    server = Server("https://tams.example/api/", backoff_s=0.001, **options)  # type: ignore[arg-type]
    return TamsClient(server, httpx.MockTransport(handler))


def segment(second: int) -> dict[str, object]:
    return {
        "object_id": f"o{second}",
        "timerange": f"[{second}:0_{second + 1}:0)",
        "get_urls": [],
    }


async def test_pages_are_followed_by_link() -> None:
    asked = []

    def serve(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        if "page" in request.url.params:
            return httpx.Response(200, json=[segment(1)])
        link = f'</api/flows/{FLOW}/segments?timerange=_&page=2>; rel="next"'
        return httpx.Response(200, json=[segment(0)], headers={"link": link})

    async with client(serve) as tams:
        found = [item async for item in tams.segments(FLOW, TimeRange(0, 2 * 10**9))]
    assert [str(item.timerange) for item in found] == ["[0:0_1:0)", "[1:0_2:0)"]
    assert asked[1] == f"https://tams.example/api/flows/{FLOW}/segments?timerange=_&page=2"


async def test_pages_are_followed_by_next_key_where_there_is_no_link() -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        assert request.url.params["timerange"] == "[0:0_9:0)"
        page = int(request.url.params.get("page", "0"))
        headers = {"x-paging-nextkey": str(page + 1)} if page < 2 else {}
        return httpx.Response(200, json=[segment(page)], headers=headers)

    async with client(serve) as tams:
        found = [item async for item in tams.segments(FLOW, TimeRange(0, 9 * 10**9))]
    assert [item.object_id for item in found] == ["o0", "o1", "o2"]


async def test_failing_servers_are_asked_again_and_given_up_in_the_end() -> None:
    answers = iter([503, 502, 200, *[500] * 9])
    asked = 0

    def serve(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        return httpx.Response(next(answers), json={"summary": "out of order"})

    async with client(serve, attempts=3) as tams:
        assert await tams.service() == {"summary": "out of order"}
        with pytest.raises(RequestError, match="500 out of order") as caught:
            await tams.service()
    assert caught.value.status == 500
    assert asked == 6


async def test_lost_connections_are_tried_again() -> None:
    lost = iter([True, False])

    def serve(request: httpx.Request) -> httpx.Response:
        if next(lost):
            raise httpx.ConnectError("no route", request=request)
        return httpx.Response(200, json={})

    async with client(serve) as tams:
        assert await tams.service() == {}


async def test_refusals_are_told_in_the_servers_words_and_not_repeated() -> None:
    asked = []

    def serve(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        error = {"type": "ValidationError", "summary": "codec is missing", "time": "now"}
        return httpx.Response(400, json=error)

    async with client(serve) as tams:
        with pytest.raises(RequestError, match=f"PUT .*/flows/{FLOW}: 400 codec is missing"):
            await tams.put_flow({"id": FLOW})
    assert len(asked) == 1


async def test_a_partly_refused_registration_names_what_was_refused() -> None:
    failed = [{"object_id": "b", "timerange": "[1:0_2:0)", "error": {"summary": "overlaps"}}]

    def serve(request: httpx.Request) -> httpx.Response:
        assert [item["object_id"] for item in json.loads(request.content)] == ["a", "b", "c"]
        return httpx.Response(200, json={"failed_segments": failed})

    async with client(serve) as tams:
        with pytest.raises(RegistrationError) as caught:
            await tams.register(FLOW, [{"object_id": name} for name in "abc"])
    assert str(caught.value) == "1 segments refused, 2 stored: [1:0_2:0): overlaps"
    assert (caught.value.failed, caught.value.registered) == (failed, 2)


async def test_storage_is_asked_for_until_there_is_enough() -> None:
    limits = []

    def serve(request: httpx.Request) -> httpx.Response:
        limits.append(json.loads(request.content)["limit"])
        items = [
            {"object_id": f"{len(limits)}{n}", "put_url": {"url": "https://s3.example/x"}}
            for n in range(min(2, limits[-1]))
        ]
        return httpx.Response(201, json={"media_objects": items})

    async with client(serve) as tams:
        allocated = await tams.allocate(FLOW, 5)
    assert [item.object_id for item in allocated] == ["10", "11", "20", "21", "30"]
    assert limits == [5, 3, 1]


async def test_uploads_honour_the_prescribed_headers_and_keep_credentials_at_home() -> None:
    seen = []

    def serve(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    put_url = {"url": "https://s3.example/k?X-Amz-Signature=1", "content-type": "video/mp2t"}
    put_url["headers"] = {"x-amz-meta-a": "b"}  # type: ignore[assignment]
    async with client(serve, token="secret") as tams:
        await tams.upload(Allocation("o", put_url, presigned=True), b"bytes", "video/mp4")
        home = {"url": "/media/o"}
        await tams.upload(Allocation("o", home, presigned=False), b"bytes", "video/mp4")
    assert seen[0].headers["content-type"] == "video/mp2t"
    assert seen[0].headers["x-amz-meta-a"] == "b"
    assert "authorization" not in seen[0].headers
    assert seen[1].url == "https://tams.example/media/o"
    assert seen[1].headers["authorization"] == "Bearer secret"
    assert seen[1].headers["content-type"] == "video/mp4"


async def test_an_upload_whose_answer_was_lost_is_not_a_failure() -> None:
    answers = [httpx.ReadError("lost"), httpx.Response(412), httpx.Response(412)]

    def serve(request: httpx.Request) -> httpx.Response:
        answer = answers.pop(0)
        if isinstance(answer, httpx.Response):
            return answer
        raise answer

    put_url = {"url": "https://s3.example/k", "headers": {"If-None-Match": "*"}}
    async with client(serve) as tams:
        await tams.upload(Allocation("o", put_url, presigned=True), b"bytes", "video/mp4")
        with pytest.raises(RequestError, match="412"):
            await tams.upload(Allocation("o", put_url, presigned=True), b"bytes", "video/mp4")
    assert answers == []


async def test_basic_authentication() -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Basic dTpw"
        return httpx.Response(200, json={})

    async with client(serve, username="u", password="p") as tams:
        await tams.service()


async def test_the_next_address_of_an_object_is_tried_when_one_is_gone() -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        gone = request.url.host == "old.example"
        return httpx.Response(404) if gone else httpx.Response(200, content=b"media")

    urls = [{"url": "https://old.example/o"}, {"url": "https://new.example/o"}]
    async with client(serve) as tams:
        assert await tams.download(urls) == b"media"
        with pytest.raises(RequestError, match="404"):
            await tams.download(urls[:1])


async def test_something_that_is_no_tams_server_is_told_apart() -> None:
    async with client(lambda _: httpx.Response(200, html="<h1>Welcome</h1>")) as tams:
        with pytest.raises(RequestError, match="is it a TAMS server"):
            await tams.service()
