"""`tams doctor --vast-semantics`: how many writers this VAST cluster is safe with, told plainly."""

import json
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tams_graphql.metadata.vast.cluster import Target
from tams_graphql.metadata.vast.semantics.findings import Finding, Status
from tams_graphql.metadata.vast.semantics.run import probe_everything
from tams_graphql.metadata.vast.semantics.sizes import FULL, QUICK
from tams_graphql.metadata.vast.semantics.titles import TITLES
from tams_graphql.metadata.vast.semantics.verdict import Verdict, verdict

_MARKS = {
    Status.HOLDS: "[green]holds[/]",
    Status.FAILS: "[red]does not hold[/]",
    Status.UNTESTED: "[yellow]not tested[/]",
}


def examine(target: Target, *, quick: bool, progress: Console) -> Verdict:
    """Play all probes on the cluster; which one is under way is told to `progress`.

    Raises:
        Unavailable: the cluster can't be used at all, or the probes' schema is left on it.
    """

    def tell(number: int, title: str) -> None:
        progress.print(f"{number:>2}/{len(TITLES)} {title}", highlight=False)

    return verdict(probe_everything(target, QUICK if quick else FULL, tell))


def print_verdict(found: Verdict, out: Console) -> None:
    """As a table and some sentences."""
    table = Table("", "probe", "assumption", "seen")
    for one in found.findings:
        title = f"{one.title}: [dim]{one.assumption}[/]"
        table.add_row(str(one.number), title, _MARKS[one.status], escape(one.seen))
    out.print(table)
    for sentence in found.sentences:
        out.print(sentence, highlight=False)


def as_json(found: Verdict) -> str:
    """The same for machines."""
    content = {
        "semantics": found.semantics.name,
        "many_writers_safe": found.many_writers_safe,
        "sentences": found.sentences,
        "findings": [_finding(one) for one in found.findings],
    }
    return json.dumps(content, indent=2)


def _finding(one: Finding) -> dict[str, object]:
    return {**asdict(one), "status": one.status.name}
