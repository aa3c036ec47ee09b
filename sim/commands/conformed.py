# SPDX-License-Identifier: MIT
"""Shows what came of the suite, on standard output and in files, and says how a command ends."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from sim.cli import FOUND, INTERRUPTED, OK
from sim.commands.calling import check_file, print_json, unwritable
from sim.commands.conforming import Ran, until_interrupted
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
from sim.report.wrong_peers import WrongPeer, wrong_peer_lines, wrong_peers_dict

FAILURES_SHOWN: Final = 10  # whole, with lanes; the page and JUnit have all


class Files(NamedTuple):
    """Where else the outcomes go."""

    junit: Path | None
    html: Path | None

    def checked(self) -> Files:
        """Themselves, before any case is run. Raises InputError for a folder that is not there."""
        for file in self:
            check_file(file)
        return self


def show(ran: Ran, files: Files, *, as_json: bool) -> int:
    """Print and write the outcomes; the exit status.

    Printed first: where a file cannot be written, what took long is not lost.
    """
    if as_json:
        document = conformance_dict(ran.target, ran.outcomes)
        print_json({**document, "interrupted": ran.interrupted})
    else:
        _print(ran)
    _write(ran, files)
    if ran.interrupted:
        _tell_interrupted("cases")
    if any(outcome.result == "failed" for outcome in ran.outcomes):
        return FOUND
    return INTERRUPTED if ran.interrupted else OK


def show_wrong_peers(side: str, peers: Iterator[WrongPeer], total: int, *, as_json: bool) -> int:
    """Print the table of wrong peers, which are put to the suite one after another."""
    found, interrupted = until_interrupted(
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


def _print(ran: Ran) -> None:
    target, themes, outcomes, _ = ran
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


def _write(ran: Ran, files: Files) -> None:
    target, themes, outcomes, _ = ran
    if files.junit is not None:
        from sim.report.junit import write_junit  # a library that only this needs

        theme_of = {case.id: theme for theme, cases in themes.items() for case in cases}
        with _written(files.junit) as file:
            write_junit(file, target, outcomes, theme_of)
    if files.html is not None:
        from sim.report.conformance_page import page_text  # as above

        with _written(files.html) as file:
            file.write(page_text(target, themes, outcomes).encode())


@contextmanager
def _written(path: Path) -> Iterator[BinaryIO]:
    """A file that is there whole afterwards, or not. Raises as :func:`unwritable` has it."""
    try:
        with whole_file(path) as file:
            yield file
    except OSError as error:
        raise unwritable(path, error) from None
