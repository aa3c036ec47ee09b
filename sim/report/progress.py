# SPDX-License-Identifier: MIT
"""How far a campaign is: a bar on a terminal, nothing elsewhere. Writes to standard error only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sim.campaign import Progress


@contextmanager
def progress_of(schedules: int) -> Iterator[Progress]:
    """What to call with the schedules played and the mistakes found so far."""
    if not sys.stderr.isatty():
        yield lambda _done, _found: None
        return
    from rich.console import Console  # a large import that only a terminal needs
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        *(TextColumn("exploring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()),
        TextColumn("{task.fields[found]} found"),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=schedules, found=0)
        yield lambda done, found: bar.update(task, completed=done, found=found)
