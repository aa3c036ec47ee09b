# SPDX-License-Identifier: MIT
"""MSI and MSI-X: what is written into the device, and which vectors stand behind it."""

from __future__ import annotations

from errno import EINVAL, ENOMEM, ENOSPC, ERANGE

import pytest

from guest.kernel.irq_affinity import AffinityRequest
from guest.pci_core.enable import pci_enable_device
from guest.pci_core.msi import (
    PCI_IRQ_AFFINITY,
    PCI_IRQ_MSI,
    PCI_IRQ_MSIX,
    pci_alloc_irq_vectors,
    pci_free_irq_vectors,
    pci_irq_vector,
)
from guest.pci_core.types import PciDev
from tests.guest.pci_core.fakes import HIGH_WINDOW, RegisterFile, Rig, nvme

TABLE = HIGH_WINDOW + 0x2000
SHUTDOWN = 0xEF


def msi(vectors_log2: int = 5, *, wide: bool = True, maskable: bool = True) -> RegisterFile:
    function = RegisterFile()
    function.bar(0, 0x4000, wide=True)
    function.capability(0x05, 0x50)
    control = vectors_log2 << 1 | (0x80 if wide else 0) | (0x100 if maskable else 0)
    function.put(0x52, 2, control)
    function.writable[0x50] = 0x0071_0000
    for where in range(0x54, 0x68, 4):
        function.writable[where] = 0xFFFF_FFFF
    return function


def up(function: RegisterFile, rig: Rig) -> PciDev:
    rig.ops.functions[0] = function
    rig.bring_up()
    dev = rig.pci.devices[(0x1234, 0, 0)]
    assert rig.run(pci_enable_device(dev)) == 0
    for index in range(16):
        rig.port.memory[TABLE + 16 * index + 12] = 1  # entries come out of reset masked
    rig.ops.log.clear()
    rig.port.log.clear()
    return dev


def alloc(
    rig: Rig,
    dev: PciDev,
    low: int,
    high: int,
    flags: int,
    affd: AffinityRequest | None = None,
) -> int:
    ret = rig.run(pci_alloc_irq_vectors(rig.pci.irqs, dev, low, high, flags, affd))
    assert isinstance(ret, int)
    return ret


def test_msix_is_enabled_masked_then_filled_then_unmasked() -> None:
    rig = Rig()
    dev = up(nvme(), rig)
    assert alloc(rig, dev, 1, 2, PCI_IRQ_MSIX) == 2
    control = [value for kind, where, _, value in rig.ops.log if (kind, where) == ("w", 0xB2)]
    assert control == [0xC008, 0x8008]
    assert ("w", 0x04, 2, 0x0402) in rig.ops.log  # INTx is switched off
    for index in range(2):
        entry = TABLE + 16 * index
        assert rig.port.memory[entry] == 0xFEE0_1000  # CPU 0, the dummy target
        assert rig.port.memory[entry + 8] == SHUTDOWN
        assert rig.port.memory[entry + 12] == 1
    assert dev.msix_enabled


def test_a_message_is_written_address_first() -> None:
    rig = Rig()
    dev = up(nvme(), rig)
    alloc(rig, dev, 1, 1, PCI_IRQ_MSIX)
    assert rig.port.log[:5] == [
        ("r", TABLE + 12, 1),
        ("w", TABLE + 0, 0xFEE0_1000),
        ("w", TABLE + 4, 0),
        ("w", TABLE + 8, SHUTDOWN),
        ("r", TABLE + 8, SHUTDOWN),  # flushes
    ]


def test_the_whole_table_is_masked_before_msix_is_let_loose() -> None:
    rig = Rig()
    dev = up(nvme(), rig)
    alloc(rig, dev, 1, 1, PCI_IRQ_MSIX)
    assert rig.port.log[5:] == [("w", TABLE + 16 * index + 12, 1) for index in range(9)]


def test_an_entry_found_unmasked_is_masked_around_the_message_and_for_good() -> None:
    rig = Rig()
    dev = up(nvme(), rig)
    rig.port.memory[TABLE + 12] = 0
    alloc(rig, dev, 1, 1, PCI_IRQ_MSIX)
    assert [value for kind, gpa, value in rig.port.log if (kind, gpa) == ("w", TABLE + 12)] == [
        1,
        0,
        1,
    ]


def test_allocation_only_reserves_vectors() -> None:
    rig = Rig()
    dev = up(nvme(), rig)
    alloc(rig, dev, 1, 2, PCI_IRQ_MSIX)
    matrix = rig.vectors.matrix
    assert (matrix.total_allocated, matrix.global_reserved) == (0, 2)
    assert [pci_irq_vector(dev, nr) for nr in range(3)] == [24, 25, -EINVAL]


def test_managed_vectors_are_spread_over_the_cpus() -> None:
    rig = Rig(cpus=4)
    dev = up(nvme(), rig)
    assert alloc(rig, dev, 1, 9, PCI_IRQ_MSIX | PCI_IRQ_AFFINITY) == 4
    descs = [rig.pci.irqs.descs[pci_irq_vector(dev, nr)] for nr in range(4)]
    assert [desc.affinity for desc in descs] == [1, 2, 4, 8]
    assert all(desc.managed for desc in descs)
    assert [cm.managed for cm in rig.vectors.matrix.maps] == [1, 1, 1, 1]


def test_pre_vectors_are_not_managed() -> None:
    rig = Rig()
    dev = up(nvme(), rig)
    flags = PCI_IRQ_MSIX | PCI_IRQ_AFFINITY
    assert alloc(rig, dev, 2, 9, flags, AffinityRequest(pre_vectors=1)) == 3
    managed = [rig.pci.irqs.descs[pci_irq_vector(dev, nr)].managed for nr in range(3)]
    assert managed == [False, True, True]


def test_the_table_limits_the_vectors() -> None:
    rig = Rig()
    dev = up(nvme(msix_entries=3), rig)
    assert alloc(rig, dev, 4, 8, PCI_IRQ_MSIX) == -ENOSPC
    assert alloc(rig, dev, 3, 2, PCI_IRQ_MSIX) == -ERANGE
    assert alloc(rig, dev, 1, 8, PCI_IRQ_MSIX) == 3


def test_a_device_without_msix_gets_msi() -> None:
    rig = Rig()
    dev = up(msi(), rig)
    assert alloc(rig, dev, 1, 1, PCI_IRQ_MSIX | PCI_IRQ_MSI) == 1
    assert dev.msi_enabled
    assert dev.irq == pci_irq_vector(dev, 0) == 24


def test_neither_is_an_error() -> None:
    rig = Rig()
    dev = up(RegisterFile(), rig)
    assert alloc(rig, dev, 1, 1, PCI_IRQ_MSIX | PCI_IRQ_MSI) == -EINVAL


def test_msi_is_masked_granted_and_enabled_last() -> None:
    rig = Rig()
    function = msi()
    dev = up(function, rig)
    assert alloc(rig, dev, 1, 4, PCI_IRQ_MSI) == 4
    writes = [(where, size, value) for kind, where, size, value in rig.ops.log if kind == "w"]
    assert writes == [
        (0x52, 2, 0x018A),  # off
        (0x60, 4, 0xFFFF_FFFF),  # all that the capability offers masked, not only those granted
        (0x52, 2, 0x01AA),  # four messages granted
        (0x54, 4, 0xFEE0_1000),
        (0x58, 4, 0),
        (0x5C, 2, SHUTDOWN),
        (0x04, 2, 0x0402),  # INTx off
        (0x52, 2, 0x01AB),  # on
    ]


@pytest.mark.parametrize(
    ("offered_log2", "mask"), [(0, 0x1), (2, 0xF), (4, 0xFFFF), (5, 0xFFFF_FFFF), (6, 0xFFFF_FFFF)]
)
def test_the_mask_has_a_bit_for_each_message_the_capability_offers(
    offered_log2: int, mask: int
) -> None:
    rig = Rig()
    dev = up(msi(offered_log2), rig)
    assert alloc(rig, dev, 1, 1, PCI_IRQ_MSI) == 1
    assert ("w", 0x60, 4, mask) in rig.ops.log
    rig.run(pci_free_irq_vectors(rig.pci.irqs, dev))
    assert rig.ops.log[-1] == ("w", 0x60, 4, 0)


def test_a_32_bit_msi_capability_has_its_data_and_mask_earlier() -> None:
    rig = Rig()
    function = msi(0, wide=False)
    dev = up(function, rig)
    assert alloc(rig, dev, 1, 1, PCI_IRQ_MSI) == 1
    assert function.get(0x58, 2) == SHUTDOWN
    assert function.get(0x5C, 4) == 1


def test_an_msi_that_cannot_be_masked_gets_its_vector_at_once() -> None:
    rig = Rig()
    dev = up(msi(0, maskable=False), rig)
    assert alloc(rig, dev, 1, 1, PCI_IRQ_MSI) == 1
    data = rig.pci.irqs.descs[24]
    assert data.activated
    assert data.vector == data.apic.vector == 32
    assert [call for call, *_ in rig.msi.log] == ["compose"]


def test_several_msis_have_consecutive_interrupts_and_one_register() -> None:
    rig = Rig()
    dev = up(msi(2), rig)
    assert alloc(rig, dev, 1, 32, PCI_IRQ_MSI) == 4
    assert [pci_irq_vector(dev, nr) for nr in range(5)] == [24, 25, 26, 27, -EINVAL]
    assert [call for call, *_ in rig.msi.log] == ["compose"] * 4
    addresses = [where for kind, where, _, _ in rig.ops.log if (kind, where) == ("w", 0x54)]
    assert len(addresses) == 1


@pytest.mark.wire_note("9.3b")
def test_the_vectors_of_several_msis_need_not_follow_each_other() -> None:
    rig = Rig(cpus=1)
    dev = up(msi(1, maskable=False), rig)
    matrix = rig.vectors.matrix
    (first, cpu), _ = (matrix.alloc(1, reserved=False) for _ in range(2))
    matrix.free(cpu, first, managed=False)
    assert alloc(rig, dev, 2, 2, PCI_IRQ_MSI) == 2
    vectors = [data.vector for data in rig.pci.irqs.descs.values()]
    assert vectors == [first, first + 2]


def test_freeing_undoes_everything_in_the_device_too() -> None:
    for function in (nvme(), msi()):
        rig = Rig()
        dev = up(function, rig)
        before = bytes(function.data)
        alloc(rig, dev, 1, 2, PCI_IRQ_MSIX | PCI_IRQ_MSI)
        rig.run(pci_free_irq_vectors(rig.pci.irqs, dev))
        assert (dev.msi_enabled, dev.msix_enabled, dev.irq) == (False, False, 0)
        assert rig.pci.irqs.descs == {}
        assert rig.vectors.matrix.global_reserved == 0
        assert rig.kernel.heap.census() == {"PciBus": 1, "PciDev": 1}
        assert [call for call, *_ in rig.msi.log].count("free") == 2
        changed = {where for where in range(0x50) if function.data[where] != before[where]}
        assert not changed


def test_a_device_in_use_cannot_be_asked_twice() -> None:
    rig = Rig()
    dev = up(nvme(), rig)
    alloc(rig, dev, 1, 1, PCI_IRQ_MSIX)
    assert alloc(rig, dev, 1, 1, PCI_IRQ_MSIX) == -EINVAL
    assert alloc(rig, dev, 1, 1, PCI_IRQ_MSI) == -EINVAL


def test_a_table_in_a_bar_without_address_is_an_error_that_leaves_msix_off() -> None:
    rig = Rig()
    function = nvme()
    dev = up(function, rig)
    dev.resource[0].flags = 0
    assert alloc(rig, dev, 1, 1, PCI_IRQ_MSIX) == -ENOMEM
    assert function.get(0xB2, 2) == 0x0008
    assert not dev.msix_enabled


def test_memory_that_runs_out_leaves_nothing_behind() -> None:
    for failing in ("MsiDesc", "IrqData"):
        rig = Rig()
        dev = up(nvme(), rig)
        allocations: list[str] = []

        def fail(name: str, failing: str = failing, seen: list[str] = allocations) -> bool:
            seen.append(name)
            return name == failing and seen.count(name) == 2

        rig.kernel.fail_allocation = fail
        ret = alloc(rig, dev, 2, 2, PCI_IRQ_MSIX)
        assert ret in (-ENOMEM, -ENOSPC)
        assert rig.kernel.heap.census() == {"PciBus": 1, "PciDev": 1}
        assert rig.pci.irqs.descs == {}
        assert not dev.msix_enabled
        assert not dev.msi_mutex.locked


def test_fewer_vectors_are_tried_when_the_matrix_has_no_more() -> None:
    rig = Rig(cpus=1)
    dev = up(nvme(), rig)
    matrix = rig.vectors.matrix
    while matrix.maps[0].available > 1:
        matrix.alloc(1, reserved=False)
    flags = PCI_IRQ_MSIX | PCI_IRQ_AFFINITY
    # One managed vector is left, one unmanaged one is reserved beside it without a guarantee.
    assert alloc(rig, dev, 1, 2, flags, AffinityRequest(pre_vectors=1)) == 2
