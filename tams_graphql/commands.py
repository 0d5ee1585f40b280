"""The commands that move media: `tams demo`, `tams ingest` and `tams export`.

They speak TAMS REST to whatever server ``--server`` names, ours or another vendor's.
"""

import asyncio
from collections.abc import Coroutine
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from tams_graphql.timeline import TimelineError, TimeRange, parse_timestamp

if TYPE_CHECKING:
    from tams_graphql.client.ingest import Ingested

app = typer.Typer()
out = Console(soft_wrap=True)
errors = Console(stderr=True, soft_wrap=True)
T = TypeVar("T")

Url = Annotated[str, typer.Option("--server", envvar="TAMS_SERVER", help="Address of the TAMS.")]
Token = Annotated[str | None, typer.Option(envvar="TAMS_TOKEN", help="Bearer token.")]
Username = Annotated[str | None, typer.Option(help="Name for basic authentication.")]
Password = Annotated[
    str | None, typer.Option(envvar="TAMS_PASSWORD", help="Password for basic authentication.")
]
Parallel = Annotated[int, typer.Option(min=1, max=64, help="Transfers at the same time.")]
LOCAL = "http://127.0.0.1:8000"


@app.command()
def demo(
    server: Url = LOCAL,
    seconds: Annotated[int, typer.Option(min=2, max=600, help="Length of the film.")] = 30,
) -> None:
    """Fill a server with a generated test film: picture, tone, a proxy and a multi flow."""
    from tams_graphql.client.demo import demo as make_demo
    from tams_graphql.client.film import FilmFormat
    from tams_graphql.client.tams import Server

    with _Progress() as progress:
        made = _finish(
            make_demo(Server(server), film=FilmFormat(seconds=Fraction(seconds)), progress=progress)
        )
    _tell(made.film)
    _tell(made.proxy, proxy=True)
    out.print(
        f"{'stills':>8}  flow {made.stills_flow_id}  open their URLs in a browser", highlight=False
    )
    out.print(f"\nSee it in GraphiQL: {server}/graphql", highlight=False)


@app.command()
def ingest(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A media file.")],
    server: Url = LOCAL,
    container: Annotated[str, typer.Option(help="ts or fmp4.")] = "ts",
    seconds: Annotated[float, typer.Option(min=0.1, help="Target length of segments.")] = 4,
    start: Annotated[str, typer.Option(help="Where on the timeline the file begins.")] = "0:0",
    label: Annotated[str | None, typer.Option(help="Name of the flows.")] = None,
    parallel: Parallel = 4,
    token: Token = None,
    username: Username = None,
    password: Password = None,
) -> None:
    """Store a media file: split at key frames, uploaded, registered. Safe to run again."""
    from tams_graphql.client.ingest import IngestOptions
    from tams_graphql.client.ingest import ingest as ingest_file
    from tams_graphql.client.split import Container
    from tams_graphql.client.tams import Server

    if container not in set(Container):
        raise typer.BadParameter(f"choose one of {', '.join(Container)}", param_hint="--container")
    options = IngestOptions(
        container=Container(container),
        segment_s=Fraction(seconds).limit_denominator(1000),
        origin_ns=_timestamp(start),
        label=label,
        parallel=parallel,
    )
    where = Server(server, token=token, username=username, password=password)
    with _Progress() as progress:
        stored = _finish(ingest_file(file, where, options, progress=progress))
    _tell(stored)


@app.command()
def export(
    flow: Annotated[str, typer.Argument(help="Id of a flow, or of a source.")],
    output: Annotated[Path, typer.Argument(help="File to write: .mp4, .mov, .mkv or .ts")],
    timerange: Annotated[str, typer.Option(help="What to export, as [start_end).")] = "_",
    server: Url = LOCAL,
    parallel: Parallel = 4,
    token: Token = None,
    username: Username = None,
    password: Password = None,
) -> None:
    """Write a timerange of a flow (or of all that a multi flow collects) into one file."""
    from tams_graphql.client.export import export as export_file
    from tams_graphql.client.tams import Server

    where = Server(server, token=token, username=username, password=password)
    try:
        wanted = TimeRange.parse(timerange, clamp=True)
    except TimelineError as error:
        raise typer.BadParameter(error.message, param_hint="--timerange") from error
    with _Progress() as progress:
        _finish(export_file(where, flow, wanted, output, parallel=parallel, progress=progress))
    out.print(f"wrote {output} ({output.stat().st_size / 1e6:.1f} MB)", highlight=False)


class _Progress:
    """One bar per thing that is worked on, drawn on standard error."""

    def __init__(self) -> None:
        self._bars = Bars(
            TextColumn("{task.description:>10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=errors,
        )
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> "_Progress":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def __call__(self, done: int, total: int, what: str) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what)
        self._bars.update(self._tasks[what], completed=done, total=total)


def _tell(stored: "Ingested", *, proxy: bool = False) -> None:
    for flow in stored.flows:
        role = "proxy" if proxy else flow.role
        told = f"{flow.timerange}, {flow.segments} segments ({flow.uploaded} uploaded now)"
        out.print(f"{role:>8}  flow {flow.flow_id}  {told}", highlight=False)
    if stored.multi_flow_id:
        out.print(f"{'multi':>8}  flow {stored.multi_flow_id}", highlight=False)


def _timestamp(text: str) -> int:
    try:
        return parse_timestamp(text)
    except TimelineError as error:
        raise typer.BadParameter(error.message, param_hint="--start") from error


def _finish(work: Coroutine[Any, Any, T]) -> T:
    """Run `work`; what it refuses becomes a sentence and exit status 1."""
    from tams_graphql.client.errors import ClientError

    try:
        return asyncio.run(work)
    except ClientError as error:
        errors.print(f"[red]failed:[/] {error}", highlight=False)
        raise typer.Exit(1) from error
