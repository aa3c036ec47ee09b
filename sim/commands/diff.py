# SPDX-License-Identifier: MIT
"""``vpcisim diff TRACE TRACE``: the first event in which two traces differ, or their wires do."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from sim.cli import FOUND, OK
from sim.commands import calling
from sim.commands.calling import AsJson, InputError, print_json
from sim.diff import difference_lines, first_difference
from sim.report.lanes import encodable
from sim.trace import Stamped, Trace, TraceError, as_dict, read_trace
from sim.wire import Crossing
from sim.wire_diff import Compared, compare, wire_lines
from sim.wire_rules import RULES, mirrored

MODEL: Final = "model"


def application() -> typer.Typer:
    return calling.application(diff_traces)


def diff_traces(
    left: Annotated[Path, typer.Argument(metavar="TRACE", help="Written by run --trace.")],
    right: Annotated[Path, typer.Argument(metavar="TRACE", help="Another one.")],
    wire: Annotated[
        bool, typer.Option("--wire", help="Compare only what crossed between guest and host.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Find the first event in which two traces differ; exit status 1 if there is one.

    Traces of different drivers are compared by what crossed between guest and host. What the model
    is known to do otherwise is counted by name and is no difference.

    Example: vpcisim diff monday.jsonl tuesday.jsonl
    """
    ours, theirs = _read(left), _read(right)
    if wire or _driver(ours) != _driver(theirs):
        return _diff_wires(ours, theirs, as_json=as_json)
    return _diff_events(ours.events, theirs.events, as_json=as_json)


def _diff_events(ours: tuple[Stamped, ...], theirs: tuple[Stamped, ...], *, as_json: bool) -> int:
    difference = first_difference(ours, theirs)
    if as_json:
        at = None if difference is None else difference.at
        sides = (None, None) if difference is None else (difference.left, difference.right)
        _print_json(at, _side(sides[0]), _side(sides[1]), {})
    elif difference is None:
        print(f"the same {len(ours)} events")
    else:
        _print_lines(difference_lines(difference, ours, theirs))
    return OK if difference is None else FOUND


def _diff_wires(ours: Trace, theirs: Trace, *, as_json: bool) -> int:
    compared = compare(ours.events, theirs.events, _rules(ours, theirs))
    difference = compared.difference
    if as_json:
        sides = (None, None) if difference is None else (difference.left, difference.right)
        at = next((side.seq for side in sides if side is not None), None)
        left, right = _crossed(sides[0], ours), _crossed(sides[1], theirs)
        _print_json(at, left, right, dict(compared.named))
    else:
        _print_wires(compared, ours, theirs)
    return OK if difference is None else FOUND


def _rules(ours: Trace, theirs: Trace) -> tuple[Any, ...]:
    """The named differences, the model's side first; none between two runs of one driver."""
    if _driver(ours) == _driver(theirs):
        return ()
    return RULES if _driver(ours) == MODEL else mirrored(RULES)


def _print_wires(compared: Compared, ours: Trace, theirs: Trace) -> None:
    if compared.difference is None:
        print("the same wire" + _but_for(compared.named))
        return
    _print_lines(wire_lines(compared.difference, ours.events, theirs.events))


def _but_for(named: Counter[str]) -> str:
    shown = ", ".join(f"{name} ({count})" for name, count in sorted(named.items()))
    return f" but for {shown}" if shown else ""


def _print_lines(lines: Iterable[str]) -> None:
    print("\n".join(encodable(line, sys.stdout.encoding) for line in lines))


def _print_json(
    at: int | None, left: dict[str, Any] | None, right: dict[str, Any] | None, named: dict[str, int]
) -> None:
    equal = left is None and right is None
    print_json({"equal": equal, "at": at, "left": left, "right": right, "named": named})


def _driver(trace: Trace) -> str:
    return str(trace.about.get("driver", MODEL))


def _read(path: Path) -> Trace:
    try:
        return read_trace(path)
    except TraceError as error:
        raise InputError(str(error)) from None


def _crossed(crossing: Crossing | None, trace: Trace) -> dict[str, Any] | None:
    return None if crossing is None else as_dict(trace.events[crossing.seq])


def _side(stamped: Stamped | None) -> dict[str, Any] | None:
    return None if stamped is None else as_dict(stamped)
