# SPDX-License-Identifier: MIT
"""``explore --coverage DIR``: a folder for the counts of a campaign, and what is told of them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sim.commands.calling import unwritable
from sim.setup import Setup


class Told(NamedTuple):
    """What is printed of a coverage: lines for people, or one more key of a document."""

    lines: tuple[str, ...]
    document: dict[str, Any]


@contextmanager
def counting(wanted: Path | None) -> Iterator[Path | None]:
    """A folder for counts while a campaign goes on, if its coverage is wanted.

    Raises BuildError where the machine cannot tell it.
    """
    if wanted is None:
        yield None
        return
    from guest.native.coverage import check_gcov  # ctypes' matters

    check_gcov()
    with tempfile.TemporaryDirectory(prefix="vpcisim-counts-") as folder:
        yield Path(folder)


def coverage_told(setup: Setup, counts: Path | None, wanted: Path | None) -> Told:
    """What is in the counts, with a page of it written to the folder wanted.

    Raises InputError or LackingError where it cannot be written, BuildError where gcov does not do.
    """
    if counts is None or wanted is None:
        return Told((), {})
    from sim.coverage import counted
    from sim.report.coverage import coverage_dict, coverage_lines, write_page

    coverage = counted(setup, counts)
    try:
        page = write_page(coverage, wanted)
    except OSError as error:
        raise unwritable(wanted, error) from None
    lines = (*coverage_lines(coverage), f"page     {page}")
    return Told(lines, {"coverage": coverage_dict(coverage)})
