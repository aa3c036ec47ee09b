# SPDX-License-Identifier: MIT
"""SPIs from request to free: routes, masks, moves, CPUs that come and go."""

from __future__ import annotations

from errno import EINVAL, EIO

from guest.kernel import ops
from guest.kernel.irq_events import InterruptHandled, InterruptSpurious, SpiRouted
from guest.kernel.irq_manage import (
    disable_irq_nosync,
    enable_irq,
    free_irq,
    request_irq,
    set_affinity,
)
from guest.pci_hyperv.spi_domain import SpiDomain
from protocol.gic import (
    GICD_ICENABLER,
    GICD_ISACTIVER,
    GICD_ISENABLER,
    GICD_ISPENDR,
    affinity_of,
    bit_of,
    route_of,
    word_of,
)
from protocol.ids import VpIndex
from sim.choices import RandomChooser
from tests.guest.kernel.gic_line import SPI, GicLine
from tests.guest.kernel.line import IRQ


def bit(line: GicLine, register: int, spi: int = SPI) -> bool:
    return bool(line.gic.read(word_of(register, spi), 4) & bit_of(spi))


def route(line: GicLine, spi: int = SPI) -> int:
    return line.gic.read(route_of(spi), 8)


def test_an_spi_is_composed_once_and_enabled_when_it_is_requested() -> None:
    line = GicLine()
    assert not bit(line, GICD_ISENABLER)
    assert line.request() == 0
    assert line.msi.log == [("compose", IRQ, 0b01, SPI), ("unmask", IRQ, 0b01, SPI)]
    assert bit(line, GICD_ISENABLER)


def test_an_interrupt_runs_its_handler_on_the_cpu_of_its_route() -> None:
    line = GicLine(managed=True, vectors=2)
    assert line.request(IRQ + 1) == 0
    assert route(line, SPI + 1) == affinity_of(VpIndex(1))
    line.fire(SPI + 1)
    line.fire(SPI + 1)
    assert line.handled == [1, 1]
    assert line.rig.events_of(InterruptHandled) == [InterruptHandled(IRQ + 1, 1)] * 2
    assert not bit(line, GICD_ISACTIVER, SPI + 1)


def test_a_move_is_done_at_once_and_nothing_waits_for_an_interrupt() -> None:
    line = GicLine()
    line.request()
    line.fire()
    assert line.move(0b10) == 0
    assert not line.data.move_pending
    assert route(line) == affinity_of(VpIndex(1))
    assert line.rig.events_of(SpiRouted)[-1] == SpiRouted(IRQ, SPI, 1, 1)
    line.fire()
    assert line.handled == [0, 1]


def test_of_several_cpus_the_first_one_that_is_online_takes_it() -> None:
    line = GicLine(cpus=4)
    line.request()
    line.rig.kernel.cpu_online_mask = 0b1101
    assert line.move(0b0110) == 0
    assert line.data.effective_affinity == 0b0100
    assert line.data.affinity == 0b0110
    assert line.move(0b0010) == -EINVAL


def test_one_that_is_inactive_moves_all_the_same() -> None:
    line = GicLine()
    assert line.move(0b10) == 0
    assert route(line) == affinity_of(VpIndex(1))
    assert not bit(line, GICD_ISENABLER)


def test_a_managed_one_is_not_moved() -> None:
    line = GicLine(managed=True, vectors=2)
    assert line.move(0b10) == -EIO


def test_the_spi_is_disabled_while_its_route_changes() -> None:
    line = GicLine()
    line.request()
    line.port.written.clear()
    line.move(0b10)
    assert line.port.written == [
        *(word_of(GICD_ICENABLER, SPI), route_of(SPI), word_of(GICD_ISENABLER, SPI))
    ]


def test_one_that_comes_while_its_handler_runs_is_handled_after_it() -> None:
    line = GicLine(cpus=2)
    line.request()
    line.busy_us = 100
    line.come()

    async def again() -> None:
        await ops.udelay(line.rig.kernel, 10)
        await set_affinity(line.irqs, IRQ, 0b10)
        line.come()

    line.rig.run(again(), cpu=1)
    assert line.handled == [0, 1]


def test_a_disabled_one_is_masked_when_it_comes_and_comes_again_when_it_is_enabled() -> None:
    line = GicLine()
    line.request()
    line.rig.run(disable_irq_nosync(line.irqs, IRQ))
    line.fire()
    assert line.handled == []
    assert line.data.pending
    assert not bit(line, GICD_ISENABLER)
    line.rig.run(enable_irq(line.irqs, IRQ))
    assert line.handled == [0]


def test_what_comes_while_it_is_masked_waits_in_the_distributor() -> None:
    line = GicLine()
    line.request()
    line.rig.run(line.rig.bridge.msi.irq_mask(line.data))
    line.fire()
    assert line.handled == []
    assert bit(line, GICD_ISPENDR)
    line.rig.run(line.rig.bridge.msi.irq_unmask(line.data))
    assert line.handled == [0]


def test_a_freed_one_is_disabled_and_what_came_for_it_is_nobodys() -> None:
    line = GicLine()
    line.request()
    line.rig.run(free_irq(line.irqs, IRQ, line))
    line.fire()
    assert line.handled == []
    assert not bit(line, GICD_ISENABLER)


def test_an_spi_that_nobody_has_is_spurious_and_may_come_again() -> None:
    line = GicLine()
    line.gic.write(word_of(GICD_ISENABLER, 500), 4, bit_of(500))
    line.fire(500)
    line.fire(500)
    assert line.rig.events_of(InterruptSpurious) == [InterruptSpurious(0, 500)] * 2


def test_a_cpu_that_goes_gives_its_spis_to_another() -> None:
    line = GicLine(cpus=3)
    line.request()
    line.move(0b100)
    masks = len(line.msi.log)
    line.rig.run(line.rig.kernel.hotplug.cpu_down(2))
    assert route(line) == affinity_of(VpIndex(0))
    assert len(line.msi.log) == masks, (
        "an SPI that can move at any time is not masked in the device"
    )
    line.fire()
    assert line.handled == [0]


def test_a_managed_one_is_shut_down_with_its_last_cpu_and_started_with_it() -> None:
    line = GicLine(managed=True, vectors=2)
    line.request(IRQ + 1)
    line.rig.run(line.rig.kernel.hotplug.cpu_down(1))
    assert not bit(line, GICD_ISENABLER, SPI + 1)
    line.fire(SPI + 1)
    assert line.handled == []
    line.rig.run(line.rig.kernel.hotplug.cpu_up(1))
    line.fire(SPI + 1)
    assert line.handled[-1] == 1


def test_whatever_the_order_a_move_loses_nothing() -> None:
    for seed in range(100):
        line = GicLine(cpus=3, chooser=RandomChooser(seed))
        line.request()
        line.busy_us = 5

        async def raise_some(line: GicLine = line) -> None:
            for _ in range(3):
                line.come()
                await ops.udelay(line.rig.kernel, 20)

        line.rig.run(raise_some(), set_affinity(line.irqs, IRQ, 0b10), cpu=2)
        assert len(line.handled) == 3, f"seed {seed}: {line.handled}"


def test_a_second_handler_is_refused() -> None:
    line = GicLine()
    line.request()
    assert line.rig.run(request_irq(line.irqs, IRQ, line.handler, "other", line)) < 0


def test_a_kernel_begins_with_what_another_one_left_disabled_and_inactive() -> None:
    line = GicLine()
    line.request()
    line.come()
    line.gic.acknowledge(VpIndex(0))
    line.come()
    line.raised = 0
    SpiDomain(line.irqs, (0b11,))
    assert line.raised == 0, "nobody is interrupted for another kernel's sake"
    assert not bit(line, GICD_ISENABLER)
    assert not bit(line, GICD_ISACTIVER)
    line.rig.engine.run()
    assert line.handled == []
