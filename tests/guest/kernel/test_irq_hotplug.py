# SPDX-License-Identifier: MIT
"""Interrupts when CPUs go and come: moved, sent again, shut down and restarted."""

from __future__ import annotations

from collections.abc import Callable
from errno import ENOSPC

import pytest

from guest.kernel import ops
from guest.kernel.cpu_events import CpuDying
from guest.kernel.irq_events import InterruptShutDown, InterruptSpurious
from guest.kernel.irq_manage import disable_irq_nosync, enable_irq, free_irq
from guest.kernel.irq_vectors import JIFFY_NS
from tests.guest.kernel.line import IRQ, SHUTDOWN, Line


def down(line: Line, cpu: int) -> int:
    ret = line.rig.run(line.rig.kernel.hotplug.cpu_down(cpu))
    assert isinstance(ret, int)
    return ret


def up(line: Line, cpu: int) -> int:
    ret = line.rig.run(line.rig.kernel.hotplug.cpu_up(cpu))
    assert isinstance(ret, int)
    return ret


def when_dying(line: Line, do: Callable[[], None]) -> None:
    """Do it once every CPU has its interrupts off and nothing has been moved yet."""
    emit = line.rig.kernel.emit

    def watch(event: object) -> None:
        emit(event)
        if isinstance(event, CpuDying):
            do()

    line.rig.kernel.emit = watch


def test_a_cpu_that_goes_hands_its_interrupts_on() -> None:
    line = Line()
    line.request()
    line.rig.msi.log.clear()
    assert down(line, 0) == 0
    assert line.rig.msi.log == [("mask", IRQ, 0b01, 32), ("unmask", IRQ, 0b10, 32)]
    line.fire()
    assert line.handled == [1]


def test_an_interrupt_elsewhere_is_left_alone() -> None:
    line = Line(3)
    line.request()
    line.rig.msi.log.clear()
    assert down(line, 2) == 0
    assert line.rig.msi.log == []
    assert line.data.apic.cpu == 0


def test_the_old_vector_is_free_at_once_and_again_when_the_cpu_is_back() -> None:
    line = Line()
    line.request()
    matrix = line.rig.vectors.matrix
    assert down(line, 0) == 0
    assert not line.data.apic.move_in_progress
    assert [matrix.maps[cpu].allocated for cpu in (0, 1)] == [0, 1]
    assert matrix.online_maps == 1
    assert up(line, 0) == 0
    assert matrix.online_maps == 2
    assert line.data.apic.cpu == 1  # unmanaged: it stays where it was put


def test_a_user_mask_without_any_cpu_left_is_broken() -> None:
    line = Line(3)
    line.move(0b010)
    line.request()
    assert line.data.apic.cpu == 1
    assert down(line, 1) == 0
    assert line.data.affinity == 0b101
    line.fire()
    assert line.handled == [line.data.apic.cpu]


def test_a_move_that_waits_goes_where_it_was_meant_to() -> None:
    line = Line(3)
    line.request()
    line.move(0b100)
    assert down(line, 0) == 0
    assert line.data.apic.cpu == 2
    assert not line.data.move_pending


def test_a_move_to_the_cpu_that_goes_is_called_off() -> None:
    line = Line(3)
    line.request()
    line.move(0b100)
    assert down(line, 2) == 0
    assert not line.data.move_pending
    assert line.data.apic.cpu == 0


def test_a_move_that_no_interrupt_has_finished_is_finished_by_force() -> None:
    line = Line(3)
    line.request()
    line.move(0b010)
    line.fire()  # moves from CPU 0 to CPU 1, whose first interrupt never comes
    assert line.data.apic.move_in_progress
    assert down(line, 1) == 0
    assert (line.data.apic.prev_vector, line.data.apic.move_in_progress) == (0, False)
    assert line.rig.vectors.matrix.total_allocated == 1


def test_what_comes_in_the_last_moment_is_sent_again_to_the_new_cpu() -> None:
    line = Line()
    line.request()
    when_dying(line, lambda: line.irqs.deliver_vector(0, 32))
    assert down(line, 0) == 0
    assert ("retrigger", IRQ, 0b10, 32) in line.rig.msi.log
    assert line.handled == [1]


def test_what_comes_in_the_last_moment_is_lost_if_the_chip_has_no_way_to_send_it_again() -> None:
    line = Line()
    line.request()
    line.rig.msi.irqs = None  # it has no way to reach the vectors
    when_dying(line, lambda: line.irqs.deliver_vector(0, 32))
    assert down(line, 0) == 0
    assert line.handled == []


def test_an_offline_cpu_takes_no_interrupt() -> None:
    line = Line()
    line.request()
    assert down(line, 0) == 0
    line.irqs.deliver_vector(0, 32)
    line.rig.engine.run()
    assert line.handled == []
    assert up(line, 0) == 0
    assert line.rig.vectors.irr == [0, 0]
    assert line.rig.events_of(InterruptSpurious) == []


def test_a_cpu_stays_whose_vectors_have_no_room_elsewhere() -> None:
    line = Line(managed=False, vectors=4)
    for irq in range(IRQ, IRQ + 4):
        line.request(irq)
    matrix = line.rig.vectors.matrix
    taken = [matrix.alloc(0b01, reserved=False) for _ in range(matrix.maps[0].available - 1)]
    assert [matrix.movable(1), matrix.available_without(1)] == [2, 1]
    assert down(line, 1) == -ENOSPC
    assert line.rig.kernel.cpus[1].online
    assert line.rig.kernel.cpu_online_mask == 0b11
    matrix.free(taken[0][1], taken[0][0], managed=False)
    assert down(line, 1) == 0


def test_a_cpu_comes_back_with_no_vector_owned() -> None:
    line = Line()
    assert down(line, 0) == 0
    line.rig.vectors.table[0][40] = None  # one that could not move was freed meanwhile
    assert up(line, 0) == 0
    assert line.rig.vectors.table[0] == {}


def test_an_interrupt_that_is_disabled_moves_and_is_delivered_when_it_is_enabled() -> None:
    line = Line()
    line.request()
    line.rig.run(disable_irq_nosync(line.irqs, IRQ))
    line.fire()
    assert down(line, 0) == 0
    line.rig.run(enable_irq(line.irqs, IRQ))
    assert line.handled == [1]


def test_a_managed_interrupt_sleeps_until_its_cpu_comes_back() -> None:
    line = Line(managed=True, vectors=2)
    line.request()
    assert down(line, 0) == 0
    assert line.data.managed_shutdown
    assert not line.data.activated
    assert line.data.vector == SHUTDOWN
    assert line.rig.events_of(InterruptShutDown) == [InterruptShutDown(IRQ, 0)]
    assert up(line, 0) == 0
    assert not line.data.managed_shutdown
    line.fire()
    assert line.handled == [0]


def test_a_managed_interrupt_stays_within_its_mask_while_that_has_a_cpu() -> None:
    line = Line(4, managed=True, vectors=2)
    line.request(IRQ + 1)
    data = line.irqs.descs[IRQ + 1]
    assert (data.affinity, data.apic.cpu) == (0b1100, 3)
    assert down(line, 3) == 0
    assert data.apic.cpu == 2
    assert down(line, 2) == 0
    assert data.managed_shutdown
    assert up(line, 3) == 0
    assert (data.managed_shutdown, data.apic.cpu) == (False, 3)
    assert up(line, 2) == 0
    assert data.apic.cpu == 3


def test_a_managed_interrupt_without_a_handler_stays_shut_down() -> None:
    line = Line(managed=True, vectors=2)
    line.request()
    assert down(line, 0) == 0
    line.rig.run(free_irq(line.irqs, IRQ, line), cpu=1)
    assert up(line, 0) == 0
    assert line.data.managed_shutdown
    assert not line.data.activated


def test_a_moved_vector_is_kept_while_an_interrupt_is_pending_at_its_old_place() -> None:
    line = Line()
    line.request()
    line.move(0b10)
    line.fire()  # moves
    line.fire()  # arrives on the new CPU

    async def late() -> None:
        await ops.msleep(line.rig.kernel, 2 * JIFFY_NS // 1_000_000)
        line.rig.vectors.irr[0] |= 1 << 32
        line.rig.vectors.run_cleanups()

    line.rig.run(late(), cpu=1)
    assert line.rig.vectors.table[0][32] is line.data


@pytest.mark.parametrize("managed", [False, True])
def test_every_vector_is_given_back_after_cpus_came_and_went(managed: bool) -> None:
    line = Line(4, managed=managed, vectors=4)
    for irq in range(IRQ, IRQ + 4):
        line.request(irq)
    for cpu in (1, 3, 2):
        assert down(line, cpu) == 0
    for cpu in (2, 1, 3):
        assert up(line, cpu) == 0
    for irq in range(IRQ, IRQ + 4):
        line.rig.run(free_irq(line.irqs, irq, line))
        line.rig.run(line.irqs.free_irqs(irq, 1))
    matrix = line.rig.vectors.matrix
    assert (matrix.total_allocated, matrix.global_reserved) == (0, 0)
    assert [cpu.allocated + cpu.managed for cpu in matrix.maps] == [0] * 4
    assert len({cpu.available for cpu in matrix.maps}) == 1
    assert matrix.global_available == sum(cpu.available for cpu in matrix.maps)
