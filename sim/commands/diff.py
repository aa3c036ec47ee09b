# SPDX-License-Identifier: MIT
"""``vpcisim diff TRACE TRACE``: the first event in which two traces differ."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sim.cli import FOUND, OK
from sim.commands import calling
from sim.commands.calling import AsJson, InputError, print_json
from sim.diff import difference_lines, first_difference
from sim.report.lanes import encodable
from sim.trace import Stamped, Trace, TraceError, as_dict, read_trace


def application() -> typer.Typer:
    return calling.application(diff_traces)


def diff_traces(
    left: Annotated[Path, typer.Argument(metavar="TRACE", help="Written by run --trace.")],
    right: Annotated[Path, typer.Argument(metavar="TRACE", help="Another one.")],
    as_json: AsJson = False,
) -> int:
    """Find the first event in which two traces differ; exit status 1 if there is one.

    Example: vpcisim diff monday.jsonl tuesday.jsonl
    """
    ours, theirs = _read(left), _read(right)
    difference = first_difference(ours.events, theirs.events)
    if as_json:
        at = None if difference is None else difference.at
        sides = (None, None) if difference is None else (difference.left, difference.right)
        print_json(
            {
                "equal": difference is None,
                "at": at,
                "left": _side(sides[0]),
                "right": _side(sides[1]),
            }
        )
    elif difference is None:
        print(f"the same {len(ours.events)} events")
    else:
        lines = difference_lines(difference, ours.events, theirs.events)
        print("\n".join(encodable(line, sys.stdout.encoding) for line in lines))
    return OK if difference is None else FOUND


def _read(path: Path) -> Trace:
    try:
        return read_trace(path)
    except TraceError as error:
        raise InputError(str(error)) from None


def _side(stamped: Stamped | None) -> dict[str, Any] | None:
    return None if stamped is None else as_dict(stamped)
