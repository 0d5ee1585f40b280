"""A process of its own that counts a flow's segments up: ``python -m … <file> <times>``."""

import asyncio
import sys
from pathlib import Path

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import Changes, View, flow
from tams_graphql.metadata.sqlite import SQLiteEngine


def counted_up(view: View) -> Changes[None]:
    """One more than what is there now."""
    count = view.get(tables.FLOWS, [("shared",)]).column("segment_count")[0].as_py()
    row = {"flow_id": "shared", "segment_count": count + 1}
    return Changes(answer=None, update={tables.FLOWS: [row]})


async def main(path: Path, times: int) -> None:
    engine = await SQLiteEngine.open(path)
    for _ in range(times):
        await engine.commit(counted_up, [flow("shared")])
    await engine.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
