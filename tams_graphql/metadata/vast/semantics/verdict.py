"""What follows from all observations, in plain words."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from tams_graphql.metadata.vast.semantics.classify import (
    SERIALISING,
    Semantics,
    many_writers_safe,
    objections,
    semantics_of,
)
from tams_graphql.metadata.vast.semantics.findings import Finding, Status, findings
from tams_graphql.metadata.vast.semantics.observations import Observations

_CENTRAL = frozenset({1, 2, 4, 5})
"""The probes that the kind of conflicts is told by."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of the doctor.

    Attributes:
        semantics: the kind of conflicts.
        many_writers_safe: whether any number of writer processes is; if not, exactly one is.
        findings: one for each probe.
        sentences: what it means and what to do, for an operator.
    """

    semantics: Semantics
    many_writers_safe: bool
    findings: tuple[Finding, ...]
    sentences: tuple[str, ...]


def verdict(seen: Observations) -> Verdict:
    """What the observations mean."""
    semantics = semantics_of(seen)
    found = findings(seen)
    sentences = _sentences(semantics, objections(seen), found)
    return Verdict(semantics, many_writers_safe(seen), found, sentences)


def _sentences(
    semantics: Semantics, against: list[str], found: tuple[Finding, ...]
) -> tuple[str, ...]:
    meaning, safe = _CONSEQUENCES[semantics]
    sentences = [f"This cluster shows {semantics.value}.", meaning]
    missing = [one.number for one in found if one.status is Status.UNTESTED]
    if semantics is Semantics.UNKNOWN and _CENTRAL & set(missing):
        sentences[1] = "A probe that it would be told by could not be run: see above."
    if semantics in SERIALISING and against:
        sentences.append(
            f"But {', and '.join(against)}: run exactly one server that writes, and report this."
        )
    else:
        sentences.append(safe)
    if missing:
        sentences.append(f"Not tested to the end: {_listed(missing)}.")
    return tuple(sentences)


def _listed(numbers: list[int]) -> str:
    return f"probe{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


class _Consequence(NamedTuple):
    """What a kind of conflicts means, and how many writers are safe."""

    meaning: str
    safe: str


_CONSEQUENCES: Final[Mapping[Semantics, _Consequence]] = MappingProxyType(
    {
        Semantics.FIRST_UPDATER_WINS: _Consequence(
            "Of two transactions that change one row, the later one is refused when it tries.",
            "Any number of writer processes is safe: run as many as you need.",
        ),
        Semantics.FIRST_COMMITTER_WINS: _Consequence(
            "Of two transactions that change one row, the one that commits later is refused.",
            "Any number of writer processes is safe: run as many as you need.",
        ),
        Semantics.CONFLICTS_PER_CELL: _Consequence(
            "Two transactions may change two columns of one row, but not the same column.",
            "Any number of writer processes is safe, since each of them first updates the same"
            " column of what it relies on.",
        ),
        Semantics.CONFLICTS_PER_TABLE: _Consequence(
            "Two transactions that write to one table conflict, whichever rows they touch.",
            "Any number of writer processes is safe, but they take turns: a second one helps if"
            " the first fails, and makes nothing faster.",
        ),
        Semantics.READ_COMMITTED: _Consequence(
            "A transaction waits for a row that another has changed, and reads what others"
            " commit meanwhile.",
            "Any number of writer processes is safe, since each of them first locks what it"
            " relies on and reads then.",
        ),
        Semantics.NO_CONFLICTS: _Consequence(
            "Two transactions that change one row are both stored, and the first one's change"
            " is lost.",
            "Only one writer process is safe: run exactly one server that writes.",
        ),
        Semantics.UNKNOWN: _Consequence(
            "What was seen fits nothing that this design was checked against.",
            "Only one writer process can be called safe: run exactly one server that writes, and"
            " report this output.",
        ),
    }
)
