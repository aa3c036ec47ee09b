# SPDX-License-Identifier: MIT
"""What the commands of the suite share: which cases are put to whom, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Generic, NamedTuple, TypeAlias, TypeVar

import typer

from sim.commands.calling import InputError, choose
from sim.conformance.case import ALL, STRENGTHS, Case
from sim.conformance.outcome import Outcome, Target
from sim.report.progress import progress_of

if TYPE_CHECKING:
    from sim.peer.peers import Peers

Versions: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--protocol", metavar="V", help="Only at this version; may be repeated."),
]
CaseIds: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--case", metavar="ID", help="Only this case; may be repeated."),
]
Strengths: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--strength", metavar="S", help="Only cases of this strength, which bind then; repeatable."
    ),
]
JUnit: TypeAlias = Annotated[
    Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML here.")
]
Html: TypeAlias = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write a page here.")
]

Connect: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="unix:PATH", help="Somebody else's, behind the socket it listens on."),
]
Spawn: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="COMMAND", help="Somebody else's, which this command line starts."),
]

WrongPeers: TypeAlias = Annotated[
    bool,
    typer.Option("--wrong-peers", help="Only tell which case catches which mistake of a peer."),
]

C = TypeVar("C", bound=Case)
R = TypeVar("R")
Planned: TypeAlias = Sequence[tuple[C, str]]
"""Cases, each with a version."""


class Selection(NamedTuple):
    """Which cases, at which versions; empty selects all."""

    versions: tuple[str, ...]
    cases: tuple[str, ...]
    strengths: tuple[str, ...]


def selection(
    versions: Sequence[str] | None, cases: Sequence[str] | None, strengths: Sequence[str] | None
) -> Selection:
    """What was asked for. Raises InputError for a version or a strength that does not exist."""
    for version in versions or ():
        choose(version, ALL, "protocol")
    for strength in strengths or ():
        choose(strength, STRENGTHS, "strength")
    return Selection(tuple(versions or ()), tuple(cases or ()), tuple(strengths or ()))


@contextmanager
def stranger(connect: str | None, spawn: str | None) -> Iterator[Peers | None]:
    """Peers in other processes, None if none was asked for; nothing is left of them afterwards.

    Raises InputError for both at once, for an address that is none, and where nobody is.
    """
    if connect is not None and spawn is not None:
        raise InputError("--connect and --spawn name two peers; leave one out")
    if connect is None and spawn is None:
        yield None
        return
    from sim.peer import peers  # sockets and processes
    from sim.peer.fault import Unreachable

    try:
        with peers.spawn(spawn) if spawn is not None else peers.connect(connect or "") as found:
            yield found
    except Unreachable as nobody:
        raise InputError(str(nobody)) from None


class Peer(NamedTuple, Generic[C]):
    """Who is tested, and what puts cases to it."""

    target: Target
    run: Callable[[Planned[C], Target], Iterator[Outcome]]


class Ran(NamedTuple):
    """What came of cases of these themes. ``interrupted``: there were more."""

    target: Target
    themes: Mapping[str, tuple[Case, ...]]
    outcomes: Sequence[Outcome]
    interrupted: bool


def run_cases(themes: Mapping[str, tuple[C, ...]], selected: Selection, peer: Peer[C]) -> Ran:
    """Put the cases that were asked for to a peer, which is bound by the strengths asked for.

    Raises InputError for an unknown case, and where no case is left.
    """
    planned = _planned(themes, selected)
    target = peer.target
    if selected.strengths:
        target = target._replace(binding=frozenset(selected.strengths) - {"unknown"})
    outcomes, interrupted = until_interrupted(
        "Cases", len(planned), peer.run(planned, target), lambda one: one.result == "failed"
    )
    return Ran(target, themes, outcomes, interrupted)


def _planned(themes: Mapping[str, tuple[C, ...]], selected: Selection) -> Planned[C]:
    known = {case.id: case for cases in themes.values() for case in cases}
    for name in selected.cases:
        if name not in known:
            near = " or ".join(map(repr, get_close_matches(name, known)))
            remedy = f"did you mean {near}?" if near else "without --case all are run, and named"
            raise InputError(f"no case {name!r}; {remedy}")
    chosen = [known[name] for name in selected.cases] or known.values()
    from sim.conformance.suite import plan  # brings the engine

    planned = tuple(plan(chosen, selected.versions, selected.strengths))
    if not planned:
        raise InputError("no case is left; ask for other versions or strengths")
    return planned


def until_interrupted(
    doing: str, total: int, each: Iterator[R], is_found: Callable[[R], bool]
) -> tuple[list[R], bool]:
    """What there is at the end, or when somebody interrupts; and whether somebody did."""
    results: list[R] = []
    found = 0
    with progress_of(doing, total) as progress:
        try:
            for result in each:
                results.append(result)
                found += is_found(result)
                progress(len(results), found)
        except KeyboardInterrupt:
            return results, True
    return results, False


def check_alone(*others: object) -> None:
    """Raise InputError where ``--wrong-peers`` comes with options that it would pass over."""
    if any(other is not None for other in others):
        raise InputError("--wrong-peers puts its own peers to every case; leave all but --json out")
