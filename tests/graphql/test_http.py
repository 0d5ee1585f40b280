"""What HTTP clients meet beyond the audit: hostile bodies, forged forms, masked errors."""

from collections.abc import Callable
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tams_graphql.graphql.limits import Limits
from tams_graphql.metadata.engine import Scan
from tests.graphql.conftest import Api
from tests.support.server import running

JSON = {"content-type": "application/json"}


async def refused(api: Api, **request: Any) -> tuple[int, str]:
    answer = await api.http.post("/graphql", **request)
    assert answer.headers["content-type"].startswith("application/json")
    body = answer.json()
    assert list(body) == ["errors"]
    return answer.status_code, body["errors"][0]["extensions"]["code"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b'{"query": "{ service { name } }\xff"}',
        b"[1, 2]",
        b'"text"',
        b'{"query": 1}',
        b'{"query": "{ __typename }", "variables": []}',
        b'{"query": "{ __typename }", "operationName": 7}',
        b'{"variables": {}}',
        b'{"query": "\\ud800"}',
        b"[" * 100_000,
    ],
)
async def test_what_is_no_graphql_request_is_a_typed_400(api: Api, body: bytes) -> None:
    assert await refused(api, content=body, headers=JSON) == (400, "BAD_REQUEST")


async def test_a_body_beyond_the_limit_is_a_typed_413(make_api: Callable[..., Api]) -> None:
    api = make_api(limits=Limits(body_bytes=1000))
    body = b'{"query": "' + b" " * 1000 + b'"}'
    assert await refused(api, content=body, headers=JSON) == (413, "TOO_LARGE")


async def test_ten_megabytes_of_json_are_refused_by_default(api: Api) -> None:
    body = b'{"query": "{ __typename }", "x": "' + b"x" * 10_000_000 + b'"}'
    assert await refused(api, content=body, headers=JSON) == (413, "TOO_LARGE")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/graphql",
        "text/plain; application/json",
        "application/json; charset=utf-16",
        "",
    ],
)
async def test_forms_and_texts_are_refused(api: Api, content_type: str) -> None:
    body = b'{"query": "{ __typename }"}'
    got = await refused(api, content=body, headers={"content-type": content_type})
    assert got == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_a_mutation_by_get_is_405_and_changes_nothing(api: Api) -> None:
    flow = await api.video_flow()
    given = f'{{flowId: "{flow["flowId"]}"}}'
    query = f"mutation {{ deleteFlow(input: {given}) {{ errors {{ code }} }} }}"
    answer = await api.http.get("/graphql", params={"query": query})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["errors"][0]["extensions"] == {"code": "METHOD_NOT_ALLOWED"}
    assert (await api.data("query Q($id: UUID!) { flow(flowId: $id) { id } }", id=flow["flowId"]))[
        "flow"
    ] == {"id": flow["id"]}


async def test_other_methods_are_405(api: Api) -> None:
    answer = await api.http.put("/graphql", json={"query": "{ __typename }"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
    assert answer.json()["errors"][0]["extensions"] == {"code": "METHOD_NOT_ALLOWED"}


@pytest.mark.parametrize(
    ("accept", "content_type", "status"),
    [
        ("application/graphql-response+json", "application/graphql-response+json", 400),
        ("application/json", "application/json", 200),
        (
            "application/json;q=0.5, application/graphql-response+json",
            "application/graphql-response+json",
            400,
        ),
        ("*/*", "application/json", 200),
        ("text/html", "application/json", 406),
        ("application/json;q=x", "application/json", 406),
    ],
)
async def test_the_answer_to_an_invalid_document_by_what_is_accepted(
    api: Api, accept: str, content_type: str, status: int
) -> None:
    answer = await api.http.post("/graphql", json={"query": "{ no }"}, headers={"accept": accept})
    assert answer.headers["content-type"] == f"{content_type}; charset=utf-8"
    assert answer.status_code == status
    assert "data" not in answer.json()


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ sources {", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ source { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ('{ source(sourceId: "x") { id } }', "INVALID_INPUT"),
        (
            '{ source(sourceId: "2AA143AC-0AB7-4D75-BC32-5C00C13D186F") { id } }',
            "INVALID_INPUT",
        ),
        ('{ flows(filter: {timerange: "[10:0_0:0)"}) { nodes { id } } }', "INVALID_INPUT"),
        ("query A { __typename } query B { __typename }", "OPERATION_RESOLUTION_FAILURE"),
    ],
)
async def test_every_refusal_before_execution_has_a_code(api: Api, query: str, code: str) -> None:
    errors = await api.errors(query)
    assert [error["extensions"]["code"] for error in errors] == [code]


@pytest.mark.parametrize(
    ("declared", "value", "rule"),
    [
        ("UUID", "x", "uuid.malformed"),
        ("TimeRange", "[10:0_0:0)", "timerange.reversed"),
        ("TimeRange", "2023-09-11T10:46:50Z/PT10S", "timerange.iso8601"),
        ("TimeRange", 5, "timerange.malformed"),
        ("MimeType", "h264", "mimetype.malformed"),
    ],
)
async def test_a_malformed_scalar_in_a_variable_names_its_rule(
    api: Api, declared: str, value: Any, rule: str
) -> None:
    field = {"UUID": "sourceId", "TimeRange": "timerange", "MimeType": "codec"}[declared]
    query = f"query Q($v: {declared}) {{ flows(filter: {{{field}: $v}}) {{ nodes {{ id }} }} }}"
    [error] = await api.errors(query, v=value)
    [problem] = error["extensions"]["problems"]
    assert error["extensions"]["code"] == "INVALID_INPUT"
    assert (problem["field"], problem["rule"]) == ("v", rule)
    assert "$v" in error["message"]


async def test_an_unknown_id_is_null_without_an_error(api: Api) -> None:
    data = await api.data(
        """{ source(sourceId: "00000000-0000-4000-8000-000000000000") { id }
             flow(flowId: "00000000-0000-4000-8000-000000000000") { id }
             object(objectId: "nothing") { id } }"""
    )
    assert data == {"source": None, "flow": None, "object": None}


class BrokenEngine:
    """Reads fail in a way that nobody expects."""

    async def page(self, scan: Scan) -> None:
        raise ZeroDivisionError("secret: /etc/passwd")


async def test_an_unexpected_failure_is_masked_and_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    api = Api(engine=BrokenEngine())  # type: ignore[arg-type]
    body = await api.post("{ flows { nodes { id } } service { name } }")
    await api.http.aclose()

    [error] = body["errors"]
    assert error["message"] == "internal error"
    assert error["extensions"] == {"code": "INTERNAL", "requestId": "request-1"}
    assert error["path"] == ["flows"]
    logged = capsys.readouterr().out
    assert "request-1" in logged
    assert "ZeroDivisionError" in logged


async def test_without_introspection_the_schema_is_not_told(make_api: Callable[..., Api]) -> None:
    api = make_api(introspection=False, ide=False)
    asked = await api.errors("{ __schema { types { name } } }")
    assert {error["extensions"]["code"] for error in asked} == {"GRAPHQL_VALIDATION_FAILED"}
    [misspelt] = await api.errors("{ sourcez { id } }")
    assert misspelt["message"] == "Cannot query field 'sourcez' on type 'Query'."
    query = "query Q($sort: FlowSort!) { flows(sort: $sort) { nodes { id } } }"
    [unfit] = await api.errors(query, sort="CREATD")
    assert unfit["extensions"]["code"] == "INVALID_INPUT"
    assert "CREATED" not in unfit["message"]
    assert await api.data("{ service { name } }") == {"service": {"name": "test"}}
    page = await api.http.get("/graphql", headers={"accept": "text/html"})
    assert page.status_code == 406


def test_websockets_of_another_protocol_are_closed() -> None:
    api = Api(engine=BrokenEngine())  # type: ignore[arg-type]
    with running(api.app) as base_url:
        address = f"{base_url.replace('http', 'ws', 1)}/graphql"
        with (
            connect(address, subprotocols=[Subprotocol("graphql-ws")]) as socket,
            pytest.raises(ConnectionClosedError) as closed,
        ):
            socket.recv(timeout=5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4406


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])
async def test_other_methods_are_405_and_told_which_are_taken(api: Api, method: str) -> None:
    answer = await api.http.request(method, "/graphql")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"
    if method != "HEAD":
        assert answer.json()["errors"][0]["extensions"] == {"code": "METHOD_NOT_ALLOWED"}


async def test_variables_in_an_address_that_are_no_json_are_named(api: Api) -> None:
    query = {"query": "{ service { name } }", "variables": "{"}
    answer = await api.http.get("/graphql", params=query)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"].startswith("variables is not JSON in UTF-8: ")
