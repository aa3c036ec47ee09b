# SPDX-License-Identifier: MIT
"""Slow or stuck: an order that starves somebody becomes fair, and only then is it a hang."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from guest.kernel import ops
from guest.kernel.context import Context
from sim.bounds import QUIET_MAX_NS, STILL_STEPS_MAX, Stuck
from sim.choices import Option
from tests.sim.test_engine import Bench


class Starving:
    """Goes on with whoever is called so; counts how often it was asked."""

    def __init__(self, favourite: str) -> None:
        self._favourite = favourite
        self.asked = 0

    def choose(self, options: Sequence[Option]) -> int:
        self.asked += 1
        return next((i for i, o in enumerate(options) if o.name == self._favourite), 0)


def spinning(bench: Bench, over: Callable[[], bool]) -> Context:
    """A thread that looks again and again, and lets no time pass."""

    async def spin() -> None:
        while not over():
            await ops.trap("look")

    return bench.thread("spinner", spin())


def test_whoever_was_starved_gets_on_once_the_order_is_fair() -> None:
    chooser = Starving("spinner")
    bench = Bench(cpus=2, chooser=chooser)
    spinning(bench, lambda: bool(bench.log))

    async def starved() -> None:
        await ops.trap("before")
        bench.log.append("done")

    bench.thread("starved", starved(), 1)
    bench.engine.run()
    assert bench.log == ["done"]
    assert STILL_STEPS_MAX < bench.engine.steps < STILL_STEPS_MAX + 10
    assert chooser.asked == STILL_STEPS_MAX + 1


def test_a_host_action_that_was_starved_gets_on_too() -> None:
    bench = Bench(chooser=Starving("spinner"))

    async def spinner() -> None:
        await ops.msleep(bench.kernel, 1)
        while not bench.log:
            await ops.trap("look")

    bench.thread("spinner", spinner())
    bench.engine.later((ops.NS_PER_MS, ops.NS_PER_MS), "reply", lambda: bench.log.append("reply"))
    bench.engine.run()
    assert bench.log == ["reply"]


def test_what_gets_nowhere_in_a_fair_order_either_is_stuck() -> None:
    bench = Bench(cpus=2, chooser=Starving("spinner"))
    spinning(bench, lambda: False)
    with pytest.raises(Stuck, match=f"nothing happened for {2 * STILL_STEPS_MAX} steps"):
        bench.engine.run()
    bench.engine.abandon()


@pytest.mark.parametrize("sign", ["event", "time"])
def test_an_event_or_time_is_a_sign_of_life(sign: str) -> None:
    chooser = Starving("spinner")
    bench = Bench(cpus=2, chooser=chooser)
    looks: list[None] = []

    async def spin() -> None:
        while len(looks) < 3 * STILL_STEPS_MAX:
            looks.append(None)
            if len(looks) % STILL_STEPS_MAX:
                await ops.trap("look")
            elif sign == "event":
                bench.engine.progress_step = bench.engine.steps
            else:
                await ops.msleep(bench.kernel, 1)

    bench.thread("spinner", spin())
    bench.engine.run()
    assert len(looks) == 3 * STILL_STEPS_MAX


def test_a_chooser_is_asked_again_once_something_has_happened() -> None:
    chooser = Starving("spinner")
    bench = Bench(cpus=2, chooser=chooser)
    spinning(bench, lambda: len(bench.log) == 2)

    async def starved() -> None:
        bench.engine.progress_step = bench.engine.steps
        bench.log.append("first")
        await ops.trap("between")
        bench.log.append("second")

    bench.thread("starved", starved(), 1)
    bench.engine.run()
    assert chooser.asked == 2 * (STILL_STEPS_MAX + 1)


def test_while_time_passes_the_order_stays_the_choosers() -> None:
    chooser = Starving("first")
    bench = Bench(cpus=2, chooser=chooser)
    instants = STILL_STEPS_MAX

    async def ticker() -> None:
        for _ in range(instants):
            await ops.msleep(bench.kernel, 1)

    for cpu, name in enumerate(("first", "second")):
        bench.thread(name, ticker(), cpu)
    end_ns = 2 * instants * ops.NS_PER_MS
    bench.engine.later((end_ns, end_ns), "something to wait for", lambda: None)
    bench.engine.run()
    assert bench.engine.steps > 2 * STILL_STEPS_MAX
    assert chooser.asked == instants + 1


@pytest.mark.parametrize(("at_s", "stuck"), [(0, True), (5, False)])
def test_silence_counts_from_the_last_event(at_s: int, *, stuck: bool) -> None:
    bench = Bench()

    async def quiet() -> None:
        for second in range(QUIET_MAX_NS // 10**9 + 2):
            if second == at_s:
                bench.engine.progress_step = bench.engine.steps
            await ops.msleep(bench.kernel, 1000)

    bench.thread("quiet", quiet())
    if stuck:
        with pytest.raises(Stuck, match="nothing happened for 600 s"):
            bench.engine.run()
        bench.engine.abandon()
    else:
        bench.engine.run()
