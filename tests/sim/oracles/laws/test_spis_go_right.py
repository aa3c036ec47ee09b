# SPDX-License-Identifier: MIT
"""On arm64 an SPI is asked for by its number and comes in where its route says."""

from __future__ import annotations

from guest.events import KernelCrashed, MachinePoweredOff, MsiComposed, MsiRetargeted
from guest.kernel.irq_events import SpiFreed, SpiRouted, SpisAllocated
from protocol.ids import Vector, VpIndex
from protocol.link import InterruptDelivered
from sim.oracles.laws.spis_go_right import SpisGoRight
from tests.sim.oracles.laws.tale import RELID, SLOT, broken, holds

IRQ, SPI = 24, 300
ALLOCATED = SpisAllocated(IRQ, SPI, 1)
ROUTED = SpiRouted(IRQ, SPI, 2, 17)


def composed(vector: int = SPI, count: int = 1) -> MsiComposed:
    return MsiComposed(RELID, SLOT, IRQ, Vector(vector), count, 0xFFFF_0040, 7)


def delivered(vp: int) -> InterruptDelivered:
    return InterruptDelivered(VpIndex(vp), Vector(SPI))


def test_an_spi_is_asked_for_and_comes_in_where_it_was_routed() -> None:
    assert holds(SpisGoRight, ALLOCATED, composed(), delivered(0), ROUTED, delivered(17))


def test_what_eight_bits_hold_of_an_spi_is_another_one() -> None:
    violation = broken(SpisGoRight, ALLOCATED, composed(SPI & 0xFF))
    assert violation.kind == "lost-interrupt"
    assert violation.message == "irq 24 has SPI 300 and asked the host for 44"


def test_a_block_has_a_number_of_its_own() -> None:
    block = SpisAllocated(IRQ, SPI, 4)
    assert holds(SpisGoRight, block, composed(32, count=4), composed(33, count=0))
    second = MsiComposed(RELID, SLOT, IRQ + 1, Vector(33), 1, 0xFFFF_0040, 7)
    assert "has SPI 301" in broken(SpisGoRight, block, second).message


def test_one_that_comes_in_elsewhere_is_wrong() -> None:
    moved = SpiRouted(IRQ, SPI, 0, 3)
    assert holds(SpisGoRight, ALLOCATED, ROUTED, moved, delivered(3))
    violation = broken(SpisGoRight, ALLOCATED, ROUTED, moved, delivered(17))
    assert violation.message == "SPI 300 was routed to VP 3 and came in on VP 17"


def test_a_machine_that_was_off_routes_anew() -> None:
    assert holds(SpisGoRight, ALLOCATED, ROUTED, MachinePoweredOff(), delivered(0))
    assert holds(SpisGoRight, ALLOCATED, ROUTED, KernelCrashed(VpIndex(17)), delivered(0))
    assert broken(SpisGoRight, ALLOCATED, ROUTED, delivered(0))


def test_no_hypercall_aims_an_spi() -> None:
    aimed = MsiRetargeted(RELID, IRQ, (0,), Vector(SPI), 0)
    assert "by hypercall" in broken(SpisGoRight, ALLOCATED, aimed).message


def test_an_spi_may_be_anothers_later() -> None:
    other = SpisAllocated(IRQ + 1, SPI, 1)
    again = MsiComposed(RELID, SLOT, IRQ + 1, Vector(SPI), 1, 0xFFFF_0040, 7)
    assert holds(SpisGoRight, ALLOCATED, composed(), SpiFreed(IRQ, SPI), other, again)


def test_on_x86_the_law_sleeps() -> None:
    aimed = MsiRetargeted(RELID, IRQ, (0,), Vector(33), 0)
    assert holds(SpisGoRight, composed(33), aimed, InterruptDelivered(VpIndex(0), Vector(33)))
