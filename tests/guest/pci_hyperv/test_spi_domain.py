# SPDX-License-Identifier: MIT
"""arm64's interrupts: SPIs from a bitmap in regions of powers of two, and what the policy says."""

from __future__ import annotations

from errno import ENOSPC

import pytest

from guest.kernel.irq import IrqData
from guest.kernel.irq_events import SpiFreed, SpisAllocated
from guest.kernel.irq_fasteoi import handle_fasteoi_irq
from guest.pci_hyperv.spi_domain import HV_PCI_MSI_SPI_NR, HV_PCI_MSI_SPI_START, SpiDomain
from tests.guest.kernel.gic_line import GicLine
from tests.guest.kernel.line import IRQ


class Bitmap:
    """A domain with nothing allocated, and blocks of interrupts that want SPIs."""

    def __init__(self) -> None:
        self.line = GicLine()
        self.domain = SpiDomain(self.line.irqs, (0b11,))
        self._next = 1000

    def block(self, count: int) -> list[IrqData]:
        first = self._next
        self._next += count
        kernel, chip = self.line.rig.kernel, self.line.msi
        return [IrqData(kernel, first + n, first + n, chip) for n in range(count)]

    def take(self, count: int = 1) -> list[IrqData]:
        block = self.block(count)
        assert self.domain.allocate(block) == 0
        return block

    def free(self, block: list[IrqData]) -> None:
        for data in block:
            self.domain.free(data)


@pytest.fixture
def bitmap() -> Bitmap:
    return Bitmap()


def spis(block: list[IrqData]) -> list[int]:
    return [data.vector for data in block]


@pytest.mark.wire_note("7.8b")
def test_spis_go_from_64_to_1019(bitmap: Bitmap) -> None:
    taken = [spis(bitmap.take())[0] for _ in range(HV_PCI_MSI_SPI_NR)]
    assert taken == list(range(64, 1020))
    assert bitmap.domain.allocate(bitmap.block(1)) == -ENOSPC


def test_a_block_has_consecutive_spis_aligned_to_its_size(bitmap: Bitmap) -> None:
    bitmap.take()
    assert spis(bitmap.take(4)) == [68, 69, 70, 71]
    assert spis(bitmap.take()) == [65]
    assert spis(bitmap.take(32)) == list(range(96, 128))


def test_a_freed_spi_serves_the_next(bitmap: Bitmap) -> None:
    blocks = [bitmap.take() for _ in range(3)]
    bitmap.free(blocks[1])
    assert spis(bitmap.take()) == [65]


def test_a_block_that_does_not_fit_takes_nothing(bitmap: Bitmap) -> None:
    holes = [bitmap.take() for _ in range(HV_PCI_MSI_SPI_NR)]
    bitmap.free(holes[1])
    bitmap.free(holes[2])
    assert bitmap.domain.allocate(bitmap.block(2)) == -ENOSPC, "65 and 66 are not aligned"
    bitmap.free(holes[3])
    assert spis(bitmap.take(2)) == [66, 67]
    assert bitmap.domain.lost(HV_PCI_MSI_SPI_NR - 1) == 0


def test_at_the_end_a_region_of_32_no_longer_fits(bitmap: Bitmap) -> None:
    regions = 0
    while bitmap.domain.allocate(bitmap.block(32)) == 0:
        regions += 1
    assert regions == HV_PCI_MSI_SPI_NR // 32
    assert spis(bitmap.take(16)) == list(range(992, 1008))


def test_what_a_region_has_more_than_its_block_is_never_given_back(bitmap: Bitmap) -> None:
    block = bitmap.take(3)
    assert bitmap.domain.lost(3) == 1
    bitmap.free(block)
    assert bitmap.domain.lost(0) == 1
    assert bitmap.domain.spi_map == 0b1000
    bitmap.free(bitmap.take(4))
    assert bitmap.domain.lost(0) == 1


def test_who_has_an_spi_is_told(bitmap: Bitmap) -> None:
    (data,) = bitmap.take()
    assert bitmap.domain.mapped == {HV_PCI_MSI_SPI_START: data}
    bitmap.free([data])
    assert bitmap.domain.mapped == {}
    rig = bitmap.line.rig
    assert rig.events_of(SpisAllocated)[-1] == SpisAllocated(data.irq, 64, 1)
    assert rig.events_of(SpiFreed) == [SpiFreed(data.irq, 64)]


def test_a_message_is_composed_for_the_first_cpu_whatever_the_affinity() -> None:
    line = GicLine(managed=True, vectors=2)
    assert [cpus for call, _, cpus, _ in line.msi.log if call == "compose"] == [0b01, 0b01]
    assert not line.irqs.vectors.reserves


def test_an_interrupt_that_is_in_progress_elsewhere_is_only_ended() -> None:
    line = GicLine()
    line.request()
    ended: list[int] = []
    line.data.in_progress = True
    line.rig.run(handle_fasteoi_irq(line.irqs, line.data, 1, ended.append))
    assert ended == [line.irqs.descs[IRQ].vector]
    assert line.handled == []
