# SPDX-License-Identifier: MIT
"""How far something long is: a bar on a terminal, nothing elsewhere; on standard error only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from guest.native.progress import Progress as Steps
from guest.native.progress import silent
from sim.campaign import Progress


@contextmanager
def progress_of(doing: str, total: int) -> Iterator[Progress]:
    """What to call with how many are done and the mistakes found so far."""
    if not total or not sys.stderr.isatty():
        yield lambda _done, _found: None
        return
    from rich.console import Console  # a large import that only a terminal needs
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        *(TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()),
        TextColumn("{task.fields[found]} found"),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total, found=0)
        yield lambda done, found: bar.update(task, completed=done, found=found)


@contextmanager
def steps_of() -> Iterator[Steps]:
    """What to call with what is being done, and how much of it is."""
    if not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console  # as above
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("")
        yield lambda what, done, total: bar.update(
            task, description=what, completed=done, total=total
        )
