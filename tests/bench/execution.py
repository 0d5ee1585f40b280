"""The columnar completer against stock execution: the same query, in this process."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from tams_graphql.app import Server
from tams_graphql.graphql.context import OperationContext
from tams_graphql.graphql.limits import Limits
from tams_graphql.graphql.schema import MediaStoreSchema, make_schema
from tams_graphql.settings import Settings
from tests.bench.harness import Arm, Comparison
from tests.bench.seed import FLOW_10K

LIMITS = Limits(cost=10**6)
QUERY = "query ($flow: UUID!) { flow(flowId: $flow) { segments(first: 1000) { nodes { %s } } } }"
FLAT = "objectId timerange keyFrameCount"
WIDE = "id objectId timerange start end duration tsOffset keyFrameCount getUrls { url headUrl }"


@contextmanager
def executions(data: Path) -> Iterator[list[Comparison]]:
    """The comparisons, while the index in `data` is open."""
    server = Server(Settings(data=data))
    with asyncio.Runner() as runner:
        running = server.running()
        runner.run(running.__aenter__())
        try:
            yield [
                _comparison(runner, server, "three fields", FLAT),
                _comparison(runner, server, "eight fields and two signed URLs", WIDE),
            ]
        finally:
            runner.run(running.__aexit__(None, None, None))


def _comparison(runner: asyncio.Runner, server: Server, told: str, fields: str) -> Comparison:
    query = QUERY % fields

    async def execute(schema: MediaStoreSchema) -> None:
        context = OperationContext(server.context(), LIMITS.cost)
        result = await schema.execute(query, {"flow": FLOW_10K}, context)
        assert not result.errors
        assert len(orjson.dumps(result.data)) > 50_000

    def arm(name: str, *, columnar: bool) -> Arm:
        schema = make_schema(LIMITS, columnar=columnar)
        return Arm(name, lambda: runner.run(execute(schema)))

    arms = [arm("by columns", columnar=True), arm("stock Strawberry", columnar=False)]
    return Comparison(f"What does executing 1000 segments cost: {told}?", "list", arms)
