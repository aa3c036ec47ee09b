# SPDX-License-Identifier: MIT
"""What is due and when: one heap in front of simpy's clock."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from sim.deadlines import NEVER, Deadlines, Handle


def test_deadlines_come_in_order_of_time_and_then_of_age() -> None:
    deadlines = Deadlines()
    for at_ns, name in ((20, "late"), (10, "older"), (10, "younger")):
        deadlines.add(at_ns, [name])
    assert deadlines.earliest_ns() == 10
    assert deadlines.advance() == 10
    assert list(deadlines.due(10)) == ["older", "younger"]
    assert deadlines.advance() == 20
    assert list(deadlines.due(20)) == ["late"]
    assert deadlines.earliest_ns() == NEVER
    assert deadlines.advance() is None


def test_what_was_called_off_is_never_due_and_keeps_no_time() -> None:
    deadlines = Deadlines()
    called_off: Handle = ["called off"]
    deadlines.add(10, called_off)
    deadlines.add(20, ["kept"])
    behind: Handle = ["behind the one that is kept"]
    deadlines.add(20, behind)
    called_off[0] = behind[0] = None
    assert deadlines.earliest_ns() == deadlines.advance() == 20
    assert list(deadlines.due(20)) == ["kept"]


def test_what_is_due_now_is_due_without_time_passing() -> None:
    deadlines = Deadlines()
    deadlines.add(0, ["now"])
    assert deadlines.advance() == 0
    assert list(deadlines.due(0)) == ["now"]


def test_processes_of_simpy_run_at_their_own_times_between_deadlines() -> None:
    deadlines = Deadlines()
    ran: list[int] = []

    def process() -> Generator[Any, Any, None]:
        for _ in range(2):
            yield deadlines.env.timeout(15)
            ran.append(int(deadlines.env.now))

    deadlines.env.process(process())
    deadlines.add(20, ["middle"])
    seen = []
    while (expected_ns := deadlines.earliest_ns()) != NEVER:
        now_ns = deadlines.advance()
        assert now_ns is not None
        assert now_ns == expected_ns
        seen += list(deadlines.due(now_ns))
    assert ran == [15, 30]
    assert seen == ["middle"]
