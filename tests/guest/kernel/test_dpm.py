# SPDX-License-Identifier: MIT
"""Devices sleep youngest first and wake oldest first; what did not get that far is passed over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from errno import EIO

from guest.kernel.dpm import DevicePm, Hold, PmEvent, PmOps
from tests.sim.test_engine import Bench


class Machine:
    """Devices that note what is asked of them; ``fails`` names the phase that does not work."""

    def __init__(self, *names: str, fails: str = "") -> None:
        self.bench = Bench()
        self.pm = DevicePm(self.bench.kernel)
        self.said: list[str] = []
        self.fails = fails
        for name in names:
            phases = {phase: self._callback(phase, name) for phase in PmOps._fields}
            self.pm.add(name, name, PmOps(**phases))

    def _callback(self, phase: str, name: str) -> Callable[[], Awaitable[int]]:
        async def callback() -> int:
            self.said.append(f"{phase} {name}")
            return -EIO if self.said[-1] == self.fails else 0

        return callback

    def play(self, *steps: Callable[[], Awaitable[object]]) -> list[object]:
        results: list[object] = []

        async def body() -> None:
            results.extend([await step() for step in steps])

        self.said.clear()
        self.bench.thread("pm", body(), 0)
        self.bench.engine.run()
        return results


def test_children_sleep_before_their_parents_and_wake_after_them() -> None:
    machine = Machine("bus", "device")
    pm = machine.pm
    assert machine.play(pm.suspend, pm.suspend_noirq) == [0, 0]
    assert machine.said == [
        "freeze device",
        "freeze bus",
        "freeze_noirq device",
        "freeze_noirq bus",
    ]
    machine.play(lambda: pm.resume_noirq(PmEvent.RESTORE), lambda: pm.resume(PmEvent.RESTORE))
    assert machine.said == [
        *("restore_noirq bus", "restore_noirq device", "restore bus", "restore device"),
    ]


def test_one_that_fails_ends_it_and_neither_it_nor_the_rest_is_woken() -> None:
    machine = Machine("bus", "device", "child", fails="freeze_noirq device")
    pm = machine.pm
    assert machine.play(pm.suspend, pm.suspend_noirq) == [0, -EIO]
    machine.play(lambda: pm.resume_noirq(PmEvent.RECOVER), lambda: pm.resume(PmEvent.RECOVER))
    assert machine.said == ["thaw_noirq child", "thaw bus", "thaw device", "thaw child"]


def test_a_device_that_fails_to_wake_does_not_keep_the_others_asleep() -> None:
    machine = Machine("bus", "device", fails="restore_noirq bus")
    pm = machine.pm
    machine.play(pm.suspend_noirq, lambda: pm.resume_noirq(PmEvent.RESTORE))
    assert machine.said[2:] == ["restore_noirq bus", "restore_noirq device"]
    log = machine.bench.kernel.log_lines
    assert [text for _, level, text in log if level == "err"] == [
        f"PM: failed to restore_noirq bus: error {-EIO}"
    ]


def test_a_device_that_is_removed_meanwhile_is_not_asked() -> None:
    machine = Machine("bus", "device")
    pm = machine.pm

    async def remove() -> None:
        pm.remove("device")

    machine.play(pm.suspend, remove, lambda: pm.resume(PmEvent.RESTORE))
    assert machine.said[2:] == ["restore bus"]


def test_a_device_that_has_come_since_is_not_woken() -> None:
    machine = Machine("bus")
    machine.pm.add("new", "new", PmOps())
    machine.play(lambda: machine.pm.resume(PmEvent.RESTORE))
    assert machine.said == []


def test_a_device_is_held_while_something_is_asked_of_it() -> None:
    machine = Machine()
    said = machine.said

    async def release() -> None:
        said.append("put")

    async def freeze() -> int:
        machine.pm.remove("device")
        said.append("freeze")
        return 0

    hold = Hold(lambda: said.append("get"), release)
    machine.pm.add("device", "device", PmOps(freeze=freeze), hold)
    machine.play(machine.pm.suspend)
    assert said == ["get", "freeze", "put"]
