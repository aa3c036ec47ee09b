# SPDX-License-Identifier: MIT
"""What the commands of the suite share: which cases are run, and how it is shown."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple, TypeAlias, TypeVar

import typer

from sim.cli import FOUND, INTERRUPTED, OK
from sim.commands.calling import InputError, choose, print_json, unwritable
from sim.conformance.case import ALL, STRENGTHS, Case
from sim.conformance.outcome import Outcome, Target
from sim.files import whole_file
from sim.report.conformance import (
    conformance_dict,
    observed_lines,
    outcome_lines,
    skipped_lines,
    summary_line,
    table_lines,
)
from sim.report.lanes import encodable
from sim.report.progress import progress_of
from sim.report.wrong_peers import WrongPeer, wrong_peer_lines, wrong_peers_dict

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
FAILURES_SHOWN: Final = 10  # whole, with lanes; the page and JUnit have all


class Selection(NamedTuple):
    """Which cases, at which versions; empty selects all."""

    versions: tuple[str, ...]
    cases: tuple[str, ...]
    strengths: tuple[str, ...]


class Files(NamedTuple):
    """Where else the outcomes go."""

    junit: Path | None
    html: Path | None


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


def bound(target: Target, selected: Selection) -> Target:
    """The target, bound by the strengths that were asked for, if any were."""
    if not selected.strengths:
        return target
    return target._replace(binding=frozenset(selected.strengths) - {"unknown"})


def run_cases(
    themes: Mapping[str, tuple[C, ...]],
    selected: Selection,
    run: Callable[[C, str], Outcome],
) -> tuple[list[Outcome], bool]:
    """The outcomes, and whether somebody interrupted; raises InputError for an unknown case."""
    known = {case.id: case for cases in themes.values() for case in cases}
    for name in selected.cases:
        if name not in known:
            near = " or ".join(map(repr, get_close_matches(name, known)))
            remedy = f"did you mean {near}?" if near else "without --case all are run, and named"
            raise InputError(f"no case {name!r}; {remedy}")
    chosen = [known[name] for name in selected.cases] or list(known.values())
    from sim.conformance.suite import plan  # brings the engine

    planned = list(plan(chosen, selected.versions, selected.strengths))
    if not planned:
        raise InputError("no case is left; ask for other versions or strengths")
    each = (run(case, version) for case, version in planned)
    return _until_interrupted("Cases", len(planned), each, lambda one: one.result == "failed")


def _until_interrupted(
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


def show(
    target: Target,
    themes: Mapping[str, tuple[C, ...]],
    outcomes: list[Outcome],
    files: Files,
    *,
    interrupted: bool,
    as_json: bool,
) -> int:
    """Print and write the outcomes; the exit status.

    Printed first: where a file cannot be written, what took long is not lost.
    """
    if as_json:
        print_json({**conformance_dict(target, outcomes), "interrupted": interrupted})
    else:
        _print(target, themes, outcomes)
    _write(target, themes, outcomes, files)
    if interrupted:
        _tell_interrupted("cases")
    if any(outcome.result == "failed" for outcome in outcomes):
        return FOUND
    return INTERRUPTED if interrupted else OK


def check_alone(*others: object) -> None:
    """Raise InputError where ``--wrong-peers`` comes with options that it would pass over."""
    if any(other is not None for other in others):
        raise InputError("--wrong-peers puts its own peers to every case; leave all but --json out")


def show_wrong_peers(side: str, peers: Iterator[WrongPeer], total: int, *, as_json: bool) -> int:
    """Print the table of wrong peers, which are put to the suite one after another."""
    found, interrupted = _until_interrupted(
        "Wrong peers", total, peers, lambda peer: bool(peer.caught_by)
    )
    if as_json:
        print_json({**wrong_peers_dict(side, found), "interrupted": interrupted})
    else:
        print("\n".join(wrong_peer_lines(side, found)))
    if not interrupted:
        return OK
    _tell_interrupted("peers")
    return INTERRUPTED


def _tell_interrupted(what: str) -> None:
    print(f"interrupted: the {what} behind these were not run", file=sys.stderr)


def _print(target: Target, themes: Mapping[str, tuple[C, ...]], outcomes: list[Outcome]) -> None:
    lines = list(table_lines(themes, outcomes))
    failed = [outcome for outcome in outcomes if outcome.result == "failed"]
    for outcome in failed[:FAILURES_SHOWN]:
        lines += ["", *outcome_lines(outcome)]
    if len(failed) > FAILURES_SHOWN:
        more = len(failed) - FAILURES_SHOWN
        lines += ["", f"and {more} more that failed; --html FILE tells about each"]
    lines += ["", *observed_lines(outcomes), *skipped_lines(outcomes)]
    lines.append(summary_line(target, outcomes))
    encoding = sys.stdout.encoding
    print("\n".join(encodable(line, encoding) for line in lines))


def _write(
    target: Target, themes: Mapping[str, tuple[C, ...]], outcomes: list[Outcome], files: Files
) -> None:
    if files.junit is not None:
        from sim.report.junit import write_junit  # a library that only this needs

        theme_of = {case.id: theme for theme, cases in themes.items() for case in cases}
        try:
            with whole_file(files.junit) as file:
                write_junit(file, target, outcomes, theme_of)
        except OSError as error:
            raise unwritable(files.junit, error) from None
    if files.html is not None:
        from sim.report.conformance_page import page_text  # as above

        try:
            with whole_file(files.html) as file:
                file.write(page_text(target, themes, outcomes).encode())
        except OSError as error:
            raise unwritable(files.html, error) from None
