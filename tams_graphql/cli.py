"""The command line: the only entry point."""

import asyncio
import gc
import os
import sys
import tomllib
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import uvicorn
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tams_graphql.commands import app as media_commands
from tams_graphql.doctor import Finding, diagnose, index_refused, port_finding
from tams_graphql.model.errors import Unavailable
from tams_graphql.serving import serve_until_stopped
from tams_graphql.settings import Settings, setting_sources

if TYPE_CHECKING:
    from tams_graphql.metadata.engine import MetadataEngine

cli = typer.Typer(
    name="tams",
    help="A GraphQL-first Time-addressable Media Store.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
cli.add_typer(media_commands)
out = Console(soft_wrap=True)
errors = Console(stderr=True, soft_wrap=True)

Data = Annotated[Path | None, typer.Option(help="Folder of the index and the media.")]
Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on.")]
PublicUrl = Annotated[str | None, typer.Option(help="Address that clients use.")]
NoAuth = Annotated[
    bool | None,
    typer.Option("--insecure-no-auth", help="Permit listening beyond loopback without auth."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what would be done; do nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object per line.")]
LogLevel = Annotated[str | None, typer.Option(help="debug, info, warning or error.")]


@cli.command()
def serve(
    data: Data = None,
    host: Host = None,
    port: Port = None,
    public_url: PublicUrl = None,
    insecure_no_auth: NoAuth = None,
    log_level: LogLevel = None,
) -> None:
    """Serve GraphQL, GraphiQL and the TAMS REST API."""
    from tams_graphql.app import create_app
    from tams_graphql.observability import configure_logging

    settings = _settings(
        data=data, host=host, port=port, public_url=public_url,
        insecure_no_auth=insecure_no_auth, log_level=log_level,
    )  # fmt: skip
    configure_logging(settings.log_level, settings.log_json)
    try:
        app = create_app(settings)
    except (OSError, ValueError) as error:
        errors.print(f"[red]data folder[/] {escape(str(error))}; tams doctor says more")
        raise typer.Exit(1) from error
    except Unavailable as error:
        errors.print(f"[red]storage backend[/] {escape(str(error))}; tams doctor says more")
        raise typer.Exit(1) from error
    _refuse(port_finding(settings))
    app.state.server.adopt(_opened_index(settings))
    _announce(settings)
    calm_collector()
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=settings.shutdown_timeout,
        ws_max_size=settings.max_body_bytes,
    )
    serve_until_stopped(config, app.state.server.end_streams)


@cli.command()
def config(data: Data = None, host: Host = None, port: Port = None) -> None:
    """Show the settings in force and where each comes from."""
    given = _given(data=data, host=host, port=port)
    settings = _settings(**given)
    table = Table("setting", "value", "from")
    for name, origin in setting_sources(given).items():
        table.add_row(name, str(getattr(settings, name)), origin)
    out.print(table)


@cli.command()
def doctor(
    data: Data = None,
    host: Host = None,
    port: Port = None,
    vast_semantics: Annotated[
        bool,
        typer.Option(
            "--vast-semantics",
            help="Instead, try on the VAST cluster of the settings (in a schema made and dropped"
            " for it) what concurrent writers do to each other. Takes minutes. Exit status 0 if"
            " many writers are safe, 1 otherwise.",
        ),
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="With --vast-semantics: seconds, small numbers.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --vast-semantics: print JSON.")
    ] = False,
) -> None:
    """Check the configuration and this machine, and say what to fix."""
    settings = _settings(data=data, host=host, port=port)
    if vast_semantics:
        _tell_vast_semantics(settings, quick=quick, as_json=as_json)
        return
    if quick or as_json:
        raise typer.BadParameter("--quick and --json belong to --vast-semantics")
    findings = asyncio.run(diagnose(settings))
    for finding in findings:
        mark = "[green]ok[/]  " if finding.advice is None else "[red]fix[/] "
        out.print(f"{mark} {finding.what}: {finding.state}")
        if finding.advice is not None:
            out.print(f"     → {finding.advice}")
    if any(finding.advice for finding in findings):
        raise typer.Exit(1)


@cli.command("gc")
def collect(data: Data = None, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Delete storage that was allocated and never registered in time, with its bytes.

    A running server does so by itself; both may run at once. Exit status 1 if a storage backend
    did not answer.
    """
    from tams_graphql import upkeep

    settings = _settings(data=data)
    _do(upkeep.collect(settings, out, errors, dry_run=dry_run, as_json=as_json))


@cli.command()
def reconcile(
    data: Data = None,
    dry_run: DryRun = False,
    storage_backend: Annotated[
        str | None, typer.Option(help="Id or label of one storage backend; default: all.")
    ] = None,
    even_most: Annotated[
        bool, typer.Option("--even-most", help="Delete even where more is unknown than known.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare the storage backends with the index, while servers run.

    Bytes that no object knows are deleted, once they are older than any upload under way. Objects
    whose bytes are missing are told, and never deleted: exit status 1.
    """
    from tams_graphql import upkeep

    settings, only = _settings(data=data), storage_backend
    wish = upkeep.Wish(only=only, dry_run=dry_run, even_most=even_most, as_json=as_json)
    _do(upkeep.reconcile(settings, wish, out, errors))


@cli.command()
def schema(
    which: Annotated[str, typer.Argument(help="graphql or openapi")] = "graphql",
    write: Annotated[
        bool, typer.Option("--write", help="Write all published contracts into the repository.")
    ] = False,
) -> None:
    """Print a published contract: the GraphQL SDL or the REST face's OpenAPI document."""
    from tams_graphql.contracts import CONTRACTS

    if write:
        for contract in CONTRACTS.values():
            contract.path.write_text(contract.text())
            out.print(f"wrote {contract.path}")
        return
    if which not in CONTRACTS:
        errors.print(f"unknown contract {which!r}: choose one of {', '.join(CONTRACTS)}")
        raise typer.Exit(2)
    sys.stdout.write(CONTRACTS[which].text())


def _tell_vast_semantics(settings: Settings, *, quick: bool, as_json: bool) -> None:
    if settings.vast is None:
        errors.print("[red]configuration[/] vast: not set, so there is no cluster to ask")
        raise typer.Exit(2)
    from tams_graphql.backends import vast_target

    try:
        target = vast_target(settings.vast)
        # Only now is it known that the SDK can be imported.
        from tams_graphql import vast_doctor

        found = vast_doctor.examine(target, quick=quick, progress=errors)
    except Unavailable as error:
        errors.print(f"[red]vast[/] {escape(str(error))}")
        raise typer.Exit(1) from error
    if as_json:
        sys.stdout.write(vast_doctor.as_json(found) + "\n")
    else:
        vast_doctor.print_verdict(found, out)
    if not found.many_writers_safe:
        raise typer.Exit(1)


def _do(work: Coroutine[Any, Any, bool]) -> None:
    """Run `work`, whose answer is whether all is well; failures become a sentence."""
    try:
        well = asyncio.run(work)
    except (OSError, ValueError, Unavailable) as error:
        errors.print(f"[red]failed:[/] {escape(str(error))}", highlight=False)
        raise typer.Exit(1) from error
    if not well:
        raise typer.Exit(1)


def _given(**flags: Any) -> dict[str, Any]:
    return {name: value for name, value in flags.items() if value is not None}


def _settings(**flags: Any) -> Settings:
    try:
        return Settings(**_given(**flags))
    except ValidationError as error:
        for problem in error.errors():
            field = ".".join(str(part) for part in problem["loc"])
            message = problem["msg"].removeprefix("Value error, ")
            errors.print(f"[red]configuration[/] {field}: {message}" if field else message)
        raise typer.Exit(2) from error
    except (SettingsError, tomllib.TOMLDecodeError, OSError) as error:
        where = "" if isinstance(error, SettingsError) else "tams.toml: "
        errors.print(f"[red]configuration[/] {where}{escape(str(error))}")
        raise typer.Exit(2) from error


def _opened_index(settings: Settings) -> "MetadataEngine":
    from tams_graphql.backends import open_index

    try:
        return asyncio.run(open_index(settings))
    except Unavailable as error:
        _refuse(index_refused(settings, error))
        raise


def _refuse(finding: Finding) -> None:
    """End here, unless what was found is well."""
    if finding.advice is not None:
        errors.print(f"[red]{finding.what}[/] {escape(finding.state)}: {finding.advice}")
        raise typer.Exit(1)


def _announce(settings: Settings) -> None:
    url = settings.base_url
    lines = [
        ("GraphiQL", f"{url}/graphql"),
        ("REST API", f"{url}/"),
        ("REST docs", f"{url}/docs  {url}/redoc"),
        ("data", str(settings.data.resolve())),
        ("test film", f"{_command()} demo --server {url}   (in another terminal)"),
    ]
    for name, value in lines:
        errors.print(f"[bold]{name:>10}[/]  {value}", highlight=False)


def _command() -> str:
    """How this program was called, as the user would type it."""
    called = Path(sys.argv[0]).absolute()
    try:
        return f"./{called.relative_to(Path.cwd())}"
    except ValueError:
        return called.name if os.access(called, os.X_OK) else "tams"


def calm_collector() -> None:
    """Keep Python's collector of cycles from stopping every request for 0.2 s.

    A bulk or a page makes rows by the ten thousand, which at its usual thresholds has it walk
    all that was imported again and again; rows go without it, by their reference counts.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


def main() -> None:
    """Run the command line."""
    cli()
