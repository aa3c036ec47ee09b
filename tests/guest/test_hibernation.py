# SPDX-License-Identifier: MIT
"""The whole machine hibernates, in the kernel's order, and is where it was when it is on again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from errno import EBUSY, EIO

import pytest

from guest.events import FunctionReturned, MachinePoweredOff, MachinePoweredOn
from guest.hibernation import Hibernation
from guest.kernel import ops
from guest.kernel.dpm import PmOps
from guest.kernel.freezer import FREEZE_TIMEOUT_MS
from guest.kernel.irq import IrqData
from guest.kernel.irq_chip import MsiMsg
from guest.kernel.irq_core import IrqCore
from sim.oracles.stuck import judge_waiting
from tests.sim.test_engine import Bench

DOWN = [
    "freeze: 2 CPUs, probing off",
    "freeze_noirq: 2 CPUs, probing off",
]
UP = [
    "restore_noirq: 2 CPUs, probing off",
    "restore: 2 CPUs, probing off",
]


async def never(_data: IrqData, _msg: MsiMsg) -> None:
    raise AssertionError("there is no interrupt here")


class Machine:
    """A machine of two CPUs with one device that notes what is asked of it."""

    def __init__(self, fails: str = "") -> None:
        self.bench = Bench(cpus=2)
        self.kernel = self.bench.kernel
        self.said: list[str] = []
        self.events: list[object] = []
        self.kernel.emit = self._emit
        self.hibernation = Hibernation(self.kernel, IrqCore(self.kernel, never))
        self._fails = fails
        self.kernel.pm.add(self, "device", PmOps(**{p: self._phase(p) for p in PmOps._fields}))

    def _emit(self, event: object) -> None:
        self.events.append(event)
        if isinstance(event, (MachinePoweredOff, MachinePoweredOn)):
            self.said.append(f"{self.kernel.cpu_online_mask.bit_count()} CPU")

    def _phase(self, phase: str) -> Callable[[], Awaitable[int]]:
        async def callback() -> int:
            online = self.kernel.cpu_online_mask.bit_count()
            probing = "off" if self.kernel.probing.deferring else "on"
            self.said.append(f"{phase}: {online} CPUs, probing {probing}")
            return -EIO if phase == self._fails else 0

        return callback

    def play(self, *steps: Callable[[], Awaitable[None]]) -> None:
        async def body() -> None:
            for step in steps:
                await step()

        self.bench.thread("user", body(), 1)
        self.bench.engine.run()

    @property
    def returned(self) -> list[int]:
        return [event.errno for event in self.events if isinstance(event, FunctionReturned)]


def test_devices_sleep_before_the_cpus_go_and_wake_after_they_have_come() -> None:
    machine = Machine()
    power = machine.hibernation
    machine.play(power.suspend, power.resume)
    assert machine.said == [*DOWN, "1 CPU", "1 CPU", *UP]
    assert machine.returned == [0]
    assert not machine.kernel.probing.deferring
    assert machine.kernel.cpu_online_mask == 0b11


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        ("freeze", [DOWN[0]]),
        ("freeze_noirq", [*DOWN, "thaw: 2 CPUs, probing off"]),
    ],
)
def test_a_device_that_cannot_sleep_wakes_what_slept_and_the_machine_goes_on(
    fails: str, said: list[str]
) -> None:
    machine = Machine(fails)
    power = machine.hibernation
    machine.play(power.suspend, power.resume)
    assert machine.said == said
    assert machine.returned == [-EIO]
    assert not machine.kernel.probing.deferring


def test_a_process_that_cannot_be_frozen_keeps_the_machine_on() -> None:
    machine = Machine()

    async def busy() -> None:
        await ops.msleep(machine.kernel, FREEZE_TIMEOUT_MS + 10)

    machine.bench.thread("busy", machine.kernel.freezer.process(busy), 1)
    machine.play(machine.hibernation.suspend)
    assert machine.said == []
    assert machine.returned == [-EBUSY]


def test_a_machine_that_nobody_switches_on_again_waits_for_nobodys_fault() -> None:
    machine = Machine()
    machine.play(machine.hibernation.suspend)
    waiting = machine.bench.engine.waiting()
    assert [context.title for context in waiting] == ["hibernate"]
    assert judge_waiting(waiting, 0) is None
    machine.bench.engine.abandon()


def test_a_machine_that_is_on_is_not_switched_on() -> None:
    machine = Machine()
    machine.play(machine.hibernation.resume)
    assert machine.said == []


def test_a_second_hibernation_waits_for_the_first_to_end() -> None:
    machine = Machine()
    power = machine.hibernation
    machine.bench.thread("other", power.suspend(), 0)
    machine.play(power.suspend)
    assert machine.said == [*DOWN, "1 CPU"]
    machine.play(power.resume)
    assert machine.said == [*DOWN, "1 CPU", "1 CPU", *UP, *DOWN, "1 CPU"]
    machine.bench.engine.abandon()


def test_what_goes_down_comes_up_in_reverse_and_interrupts_stop_between_the_two_phases() -> None:
    down = [phase.__name__ for phase, _ in Machine().hibernation.phases()]
    devices = ("suspend", "_suspend_device_irqs", "suspend_noirq", "_disable_secondary_cpus")
    assert down[-len(devices) :] == list(devices)
    assert down.index("_freeze_processes") < down.index("_block_probing") < down.index("suspend")


def test_the_host_is_told_once_that_the_machine_goes_off() -> None:
    machine = Machine()
    told: list[int] = []
    machine.kernel.port.power_off = lambda: told.append(machine.kernel.now_ns())  # type: ignore[method-assign]  # a fake's seam
    machine.play(machine.hibernation.suspend, machine.hibernation.resume)
    assert len(told) == 1
