# SPDX-License-Identifier: MIT
"""Interrupts from request to free: activation, delivery, moves."""

from __future__ import annotations

from errno import EBUSY, EINVAL, EIO, ENOMEM

import pytest

from guest.kernel import ops
from guest.kernel.faults import SleepInAtomic
from guest.kernel.irq import IRQ_HANDLED
from guest.kernel.irq_events import (
    InterruptFreed,
    InterruptHandled,
    InterruptRequested,
    InterruptSpurious,
)
from guest.kernel.irq_manage import (
    disable_irq_nosync,
    enable_irq,
    free_irq,
    request_irq,
    synchronize_irq,
)
from guest.kernel.irq_vectors import JIFFY_NS
from sim.choices import RandomChooser
from tests.guest.kernel.line import IRQ, SHUTDOWN, Line
from tests.guest.pci_core.fakes import HIGH_WINDOW, Rig


def test_an_unmanaged_interrupt_is_composed_at_the_dummy_target_and_again_for_real() -> None:
    line = Line()
    assert line.request() == 0
    assert line.rig.msi.log == [
        ("compose", IRQ, 0b01, SHUTDOWN),
        ("compose", IRQ, 0b01, 32),
        ("unmask", IRQ, 0b01, 32),
    ]
    assert line.rig.events_of(InterruptRequested) == [InterruptRequested(IRQ, "test")]


def test_a_managed_interrupt_goes_to_its_own_cpu() -> None:
    line = Line(managed=True, vectors=2)
    assert line.request(IRQ + 1) == 0
    assert line.rig.msi.log[1:] == [
        ("compose", IRQ + 1, 0b01, SHUTDOWN),
        ("compose", IRQ + 1, 0b10, 32),
        ("unmask", IRQ + 1, 0b10, 32),
    ]


def test_an_interrupt_runs_its_handler_as_a_hard_interrupt_on_the_cpu_it_hit() -> None:
    line = Line()
    line.request()
    line.fire()
    line.fire()
    assert line.handled == [0, 0]
    assert line.rig.events_of(InterruptHandled) == [InterruptHandled(IRQ, 0)] * 2
    assert line.data.count == {0: 2}


def test_a_handler_must_not_sleep() -> None:
    line = Line()

    async def sleepy(_irq: int, _dev_id: object) -> int:
        await ops.msleep(line.rig.kernel, 1)
        return IRQ_HANDLED

    line.rig.run(request_irq(line.irqs, IRQ, sleepy, "sleepy", line))
    with pytest.raises(SleepInAtomic):
        line.fire()


def test_two_messages_before_the_cpu_looks_are_one_interrupt() -> None:
    line = Line()
    line.request()
    line.irqs.deliver_vector(0, 32)
    line.irqs.deliver_vector(0, 32)
    line.rig.engine.run()
    assert line.handled == [0]


def test_an_interrupt_during_its_handler_on_another_cpu_runs_it_once_more() -> None:
    line = Line()
    line.request()
    line.busy_us = 50

    async def again() -> None:
        # As after a move: the same interrupt on CPU 1 while CPU 0 still handles it.
        line.irqs.deliver_vector(0, 32)
        await ops.usleep(line.rig.kernel, 10)
        line.rig.vectors.table[1][99] = line.data
        line.irqs.deliver_vector(1, 99)

    line.rig.run(again(), cpu=1)
    assert line.handled == [0, 0]
    assert not line.data.masked
    assert [call for call, *_ in line.rig.msi.log][-3:] == ["unmask", "mask", "unmask"]


def test_an_interrupt_that_is_disabled_waits_masked_until_it_is_enabled() -> None:
    line = Line()
    line.request()
    line.rig.run(disable_irq_nosync(line.irqs, IRQ))
    line.fire()
    assert line.handled == []
    assert line.data.masked
    line.rig.run(enable_irq(line.irqs, IRQ))
    assert line.handled == [0]


def test_freeing_masks_then_zeroes_the_message_and_keeps_a_reservation() -> None:
    line = Line()
    line.request()
    line.rig.port.log.clear()
    line.rig.run(free_irq(line.irqs, IRQ, line))
    table = HIGH_WINDOW + 0x2000
    writes = [(gpa - table, value) for kind, gpa, value in line.rig.port.log if kind == "w"]
    assert writes == [(12, 1), (0, 0), (4, 0), (8, 0)]
    matrix = line.rig.vectors.matrix
    assert (matrix.total_allocated, matrix.global_reserved) == (0, 1)
    assert line.rig.events_of(InterruptFreed) == [InterruptFreed(IRQ, "test")]


def test_a_freed_interrupt_can_be_requested_again() -> None:
    line = Line()
    line.request()
    line.rig.run(free_irq(line.irqs, IRQ, line))
    assert line.request() == 0
    line.fire()
    assert line.handled == [0]


def test_one_late_interrupt_after_free_is_quiet_and_a_second_is_not() -> None:
    line = Line()
    line.request()
    line.rig.run(free_irq(line.irqs, IRQ, line))
    for _ in range(2):
        line.irqs.deliver_vector(0, 32)
        line.rig.engine.run()
    assert line.handled == []
    assert line.rig.events_of(InterruptSpurious) == [InterruptSpurious(0, 32)] * 2
    warnings = [text for _, level, text in line.rig.kernel.log_lines if level == "err"]
    assert warnings == ["0.32 No irq handler for vector"]


def test_an_interrupt_that_came_while_disabled_is_delivered_to_the_next_handler() -> None:
    line = Line()
    line.request()
    line.rig.run(disable_irq_nosync(line.irqs, IRQ))
    line.fire()
    line.rig.run(free_irq(line.irqs, IRQ, line))
    assert line.handled == []
    line.request()
    assert line.handled == [0]
    assert not line.data.pending


def test_a_line_has_one_handler() -> None:
    line = Line()
    assert line.request() == 0
    assert line.request() == -EBUSY
    assert line.request(99) == -EINVAL
    line.rig.run(free_irq(line.irqs, IRQ, "somebody else"))
    assert any("already-free IRQ" in text for _, _, text in line.rig.kernel.log_lines)
    assert line.data.action is not None


def test_freeing_waits_for_the_handler_to_end() -> None:
    line = Line()
    line.request()
    line.busy_us = 50

    async def freer() -> int:
        line.irqs.deliver_vector(0, 32)
        await ops.usleep(line.rig.kernel, 10)
        await free_irq(line.irqs, IRQ, line)
        return line.rig.kernel.now_ns()

    assert line.rig.run(freer(), cpu=1) >= 50_000
    assert line.handled == [0]


def test_synchronising_waits_for_the_handler_to_end() -> None:
    line = Line()
    line.request()
    line.busy_us = 50

    async def waiter() -> int:
        line.irqs.deliver_vector(0, 32)
        await ops.usleep(line.rig.kernel, 10)
        await synchronize_irq(line.irqs, IRQ)
        return line.rig.kernel.now_ns()

    assert line.rig.run(waiter(), cpu=1) >= 50_000


def test_a_new_affinity_takes_effect_with_the_next_interrupt() -> None:
    line = Line()
    line.request()
    assert line.move(0b10) == 0
    assert line.data.apic.cpu == 0
    line.rig.msi.log.clear()
    line.fire()
    assert line.handled == [0]
    assert line.rig.msi.log == [("mask", IRQ, 0b01, 32), ("unmask", IRQ, 0b10, 32)]
    line.fire()
    assert line.handled == [0, 1]


@pytest.mark.parametrize(("jiffies", "cpu"), [(1, 1), (2, 0)])
def test_the_old_vector_is_freed_two_ticks_after_the_first_interrupt_on_the_new_cpu(
    jiffies: int, cpu: int
) -> None:
    line = Line()
    line.request()
    line.move(0b10)
    line.fire()  # moves
    assert line.rig.vectors.matrix.total_allocated == 2
    line.fire()  # arrives on the new CPU
    line.move(0b01)
    line.fire()  # too early to move back: the move waits for the next interrupt
    assert line.data.apic.cpu == 1
    assert line.data.move_pending

    async def wait() -> None:
        await ops.msleep(line.rig.kernel, jiffies * JIFFY_NS // 1_000_000)

    line.rig.run(wait())
    line.fire()
    assert line.data.apic.cpu == cpu
    assert line.handled == [0, 1, 1, 1]


def test_an_interrupt_that_is_not_requested_takes_its_affinity_at_once() -> None:
    line = Line()
    assert line.move(0b10) == 0
    line.request()
    assert line.data.apic.cpu == 1


def test_affinity_is_refused_for_managed_interrupts_and_without_an_online_cpu() -> None:
    assert Line(managed=True).move(0b01) == -EIO
    assert Line().move(0b100) == -EINVAL


def test_a_descriptor_freed_under_an_interrupt_in_flight_lives_until_that_ends() -> None:
    line = Line()
    line.request()
    data = line.data
    data.readers += 1  # an interrupt has looked it up on another CPU

    async def free() -> None:
        await free_irq(line.irqs, IRQ, line)
        await line.irqs.free_irqs(IRQ, 1)

    line.rig.run(free())
    assert data.freed
    assert line.rig.kernel.heap.census()["IrqData"] == 1


def test_interrupt_numbers_are_used_again_lowest_first() -> None:
    line = Line(vectors=2)

    async def again() -> list[int]:
        await line.irqs.free_irqs(IRQ + 1, 1)
        await line.irqs.free_irqs(IRQ, 1)
        line.dev.msi_descs.clear()
        return [
            await line.irqs.alloc_irqs(line.rig.msi, count, hwirq=0, node=-1, affinity=None)
            for count in (1, 1, 2)
        ]

    assert line.rig.run(again()) == [IRQ, IRQ + 1, IRQ + 2]


@pytest.mark.parametrize("seed", range(12))
def test_an_allocation_that_fails_takes_no_number_from_one_beside_it(seed: int) -> None:
    rig = Rig(chooser=RandomChooser(seed))
    wanted: list[str] = []

    def fail(name: str) -> bool:
        wanted.append(name)
        return len(wanted) == 3

    async def fails() -> int:
        rig.kernel.fail_allocation = fail
        return await rig.pci.irqs.alloc_irqs(rig.msi, 4, hwirq=0, node=-1, affinity=None)

    async def succeeds() -> None:
        while len(wanted) < 3:
            await ops.point(rig.kernel, "not yet")
        for _ in range(4):
            irq = await rig.pci.irqs.alloc_irqs(rig.msi, 1, hwirq=9, node=-1, affinity=None)
            taken.append(irq)

    taken: list[int] = []
    assert rig.run(fails(), succeeds()) == -ENOMEM
    assert sorted(rig.pci.irqs.descs) == sorted(taken)
    assert rig.kernel.heap.census()["IrqData"] == len(set(taken)) == 4
