# SPDX-License-Identifier: MIT
"""The picture shows the moment of a violation and little else."""

from __future__ import annotations

from guest.events import BusStateChanged
from protocol.ids import RelId
from sim.report.moment import ROWS_AFTER, ROWS_BEFORE, moment_lines
from sim.trace import Stamped
from sim.violation import Violation


def trace(length: int) -> list[Stamped]:
    event = BusStateChanged(RelId(1), "installed")
    return [Stamped(n, 1_000_000 * n, f"work/0:work{n}", event) for n in range(length)]


def found(at_ns: int) -> Violation:
    return Violation("leak", "nothing is lost", "left behind: 1 HvPciDev", "end of run", at_ns)


def times(lines: list[str]) -> list[str]:
    return [line[:12].strip() for line in lines]


def test_a_short_run_is_shown_whole_with_the_violation_at_its_place() -> None:
    lines = list(moment_lines(trace(3), found(1_500_000)))
    assert times(lines) == ["time", "0.000 ms", "1.000 ms", "1.500 ms", "2.000 ms"]
    assert lines[3].endswith("<== leak")


def test_of_a_long_run_only_the_rows_around_the_moment_are_shown() -> None:
    lines = list(moment_lines(trace(100), found(50_000_000)))
    assert len(lines) == 1 + 1 + ROWS_BEFORE + 1 + ROWS_AFTER + 1
    assert lines[1].strip() == f"({51 - ROWS_BEFORE} rows before)"
    assert lines[-1].strip() == f"({100 - 51 - ROWS_AFTER} rows after)"


def test_the_violation_stands_in_the_lane_of_the_context_that_did_it() -> None:
    by_work = Violation("crash", "rules", "oops", "work/1:hv_eject_device_work", 10)
    line = list(moment_lines([], by_work))[-1]
    assert line.index("●") == list(moment_lines(trace(1), found(0)))[1].index("●")
