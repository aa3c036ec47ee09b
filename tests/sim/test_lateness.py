# SPDX-License-Identifier: MIT
"""Time that passes although something could run: how often, how far, and who stands in its way."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from guest.kernel import ops
from sim.bounds import STALL_MAX_NS
from sim.choices import PASSING, Chooser, Option
from tests.sim.test_engine import Bench

FAR_NS = 10 * STALL_MAX_NS  # the end of a window that keeps no time from passing


class Late:
    """Lets time pass whenever it may; else the first option, host actions last."""

    def __init__(self) -> None:
        self.options: list[list[str]] = []

    def choose(self, options: Sequence[Option]) -> int:
        self.options.append([option.name for option in options])
        return next((i for i, option in enumerate(options) if option is PASSING), 0)


class Prompt:
    """Never lets time pass, and remembers whether it might have."""

    def __init__(self) -> None:
        self.offered = 0

    def choose(self, options: Sequence[Option]) -> int:
        self.offered += options[-1] is PASSING
        return 0


def busy_bench(chooser: Chooser | None, *, lates: int, points: int = 20) -> Bench:
    """A thread that could always go on; it notes the time at each of its points."""
    bench = Bench(chooser=chooser, lates=lates)

    async def busy() -> None:
        for _ in range(points):
            bench.log.append(str(bench.kernel.now_ns()))
            await ops.point(bench.kernel, "busy")

    bench.thread("busy", busy())
    return bench


def times(bench: Bench) -> list[int]:
    """When the busy thread's points were, each time once."""
    return list(dict.fromkeys(map(int, bench.log)))


@pytest.mark.parametrize("lates", [0, 1, 3])
def test_a_run_is_late_as_often_as_it_may_be(lates: int) -> None:
    bench = busy_bench(Late(), lates=lates)
    for at_ns in (10, 20, 30, 40):
        bench.engine.later((at_ns, FAR_NS), "tick", lambda: None)
    bench.engine.run()
    assert times(bench) == [10 * lates]


def test_time_stands_still_at_the_end_of_the_oldest_waiting_actions_window() -> None:
    chooser = Late()
    bench = busy_bench(chooser, lates=9)
    for window_ns in ((10, 35), (20, 50), (30, 60), (40, 70)):
        bench.engine.later(window_ns, f"reply {window_ns[0]}", lambda: None)
    bench.engine.run()
    assert times(bench) == [30]
    assert chooser.options[3] == ["busy", "reply 10", "reply 20", "reply 30"]


def test_time_may_reach_the_very_end_of_a_waiting_actions_window() -> None:
    bench = busy_bench(Late(), lates=9)
    for window_ns in ((10, 30), (30, 60)):
        bench.engine.later(window_ns, "reply", lambda: None)
    bench.engine.run()
    assert times(bench) == [30]


def test_once_the_waiting_action_has_run_time_may_pass_again() -> None:
    class Hostly(Late):
        """As Late, but takes a host action before the thread."""

        def choose(self, options: Sequence[Option]) -> int:
            index = super().choose(options)
            return index or next((i for i, o in enumerate(options) if o.name == "reply"), 0)

    bench = busy_bench(Hostly(), lates=9)
    for at_ns in (10, 20, 30):
        bench.engine.later((at_ns, at_ns), "reply", lambda: None)
    bench.engine.run()
    assert times(bench) == [30]


@pytest.mark.parametrize(
    ("first_ns", "second_ns", "seen_ns"),
    [
        (STALL_MAX_NS, STALL_MAX_NS + 1, STALL_MAX_NS),
        (STALL_MAX_NS + 1, STALL_MAX_NS + 2, 0),
        (STALL_MAX_NS - 1, STALL_MAX_NS, STALL_MAX_NS),
        (STALL_MAX_NS - 1, STALL_MAX_NS + 1, STALL_MAX_NS - 1),
    ],
)
def test_a_run_is_never_later_in_all_than_the_longest_stall(
    first_ns: int, second_ns: int, seen_ns: int
) -> None:
    bench = busy_bench(Late(), lates=9)
    for at_ns in (first_ns, second_ns):
        bench.engine.later((at_ns, FAR_NS), "tick", lambda: None)
    bench.engine.run()
    assert times(bench) == [seen_ns]


def test_a_lone_context_is_crowded_by_time_that_may_pass_and_only_then() -> None:
    def crowded(chooser: Chooser | None, *, lates: int, delay_ns: int) -> list[bool]:
        bench = Bench(chooser=chooser, lates=lates)
        seen = []

        async def alone() -> None:
            seen.append(bench.kernel.crowded)
            bench.engine.later((delay_ns, delay_ns), "reply", lambda: None)
            seen.append(bench.kernel.crowded)
            await ops.trap("here")
            seen.append(bench.kernel.crowded)

        bench.thread("alone", alone())
        bench.engine.run()
        return seen

    assert crowded(Prompt(), lates=1, delay_ns=10) == [False, True, True]
    assert crowded(Late(), lates=1, delay_ns=10) == [False, True, True]  # the reply is ready
    assert crowded(Prompt(), lates=0, delay_ns=10) == [False, False, False]
    assert crowded(Prompt(), lates=1, delay_ns=STALL_MAX_NS + 1) == [False, False, False]
    assert crowded(None, lates=1, delay_ns=10) == [False, False, False]


def test_a_poller_does_not_keep_time_from_passing() -> None:
    chooser = Prompt()
    bench = Bench(cpus=2, chooser=chooser, lates=2)
    replied: list[int] = []

    async def poller() -> None:
        while not replied:
            await ops.udelay(bench.kernel, 100)

    for cpu in range(2):
        bench.thread("poller", poller(), cpu)
    bench.engine.later(
        (1_000_000, 2_000_000), "reply", lambda: replied.append(bench.engine.now_ns())
    )
    bench.engine.run()
    assert replied == [1_000_000]


def test_an_action_that_was_called_off_while_it_waited_is_no_option() -> None:
    chooser = Late()
    bench = Bench(chooser=chooser)
    done: list[str] = []

    def first() -> None:
        done.append("first")
        call_off()

    bench.engine.later((10, 10), "first", first)
    call_off = bench.engine.later((10, 10), "second", lambda: done.append("second"))
    bench.engine.run()
    assert done == ["first"]
    assert chooser.options == [["first", "second"]]
