# SPDX-License-Identifier: MIT
"""The machine stops where everybody may be preempted, and nowhere else."""

from __future__ import annotations

from guest.kernel import ops
from guest.kernel.context import Context, Kind
from guest.kernel.stop_machine import stop_machine
from guest.kernel.sync import SpinLock
from tests.guest.kernel.orders import ORDERS, chooser_of
from tests.guest.pci_core.fakes import Rig


async def burn(rig: Rig, us: int) -> None:
    await ops.udelay(rig.kernel, us)


@ORDERS
def test_nobody_runs_while_the_machine_is_stopped(seed: int | None) -> None:
    rig = Rig(3, chooser=chooser_of(seed))
    ran: list[tuple[int, int]] = []
    stopped: list[int] = []

    async def busy(cpu: int) -> None:
        for _ in range(20):
            await burn(rig, 7)
            ran.append((cpu, rig.kernel.now_ns()))

    async def function() -> int:
        stopped.append(rig.kernel.now_ns())
        rig.kernel.raise_interrupt(2, "device", busy(2))
        await burn(rig, 50)
        stopped.append(rig.kernel.now_ns())
        return 0

    for cpu in (0, 1):
        rig.engine.start(Context(f"busy {cpu}", Kind.THREAD, rig.kernel.cpus[cpu], busy(cpu)))
    rig.run(stop_machine(rig.kernel, function, 1), cpu=2)
    first, last = stopped
    assert last - first == 50_000
    assert not [at for _, at in ran if first < at <= last]
    assert len(ran) == 60


@ORDERS
def test_a_cpu_with_a_lock_held_is_waited_for(seed: int | None) -> None:
    rig = Rig(2, chooser=chooser_of(seed))
    lock = SpinLock(rig.kernel, "lock")
    owners: list[Context | None] = []

    async def holder() -> None:
        await lock.lock()
        await burn(rig, 30)
        await lock.unlock()

    async def function() -> int:
        owners.append(lock.owner)
        return 0

    rig.engine.start(Context("holder", Kind.THREAD, rig.kernel.cpus[0], holder()))
    rig.run(stop_machine(rig.kernel, function, 1), cpu=1)
    assert owners == [None]


def test_a_cpu_that_waits_for_the_others_still_takes_interrupts() -> None:
    rig = Rig(2)
    handled: list[int] = []

    async def handler() -> None:
        handled.append(rig.kernel.now_ns())
        await burn(rig, 0)

    async def atomic() -> None:
        await burn(rig, 20)
        rig.kernel.raise_interrupt(1, "device", handler())
        await burn(rig, 20)

    async def function() -> int:
        handled.append(-1)
        return 0

    rig.engine.start(Context("atomic", Kind.THREAD, rig.kernel.cpus[0], atomic()))
    rig.run(stop_machine(rig.kernel, function, 1), cpu=1)
    assert handled == [20_000, -1]


def test_afterwards_everybody_goes_on() -> None:
    rig = Rig(4)

    async def answer() -> int:
        return 42

    assert rig.run(stop_machine(rig.kernel, answer, 3)) == 42
    assert rig.engine.waiting() == []
    assert all(cpu.thread is None and cpu.online for cpu in rig.kernel.cpus)
