# SPDX-License-Identifier: MIT
"""The sizes of resizable BARs come back with the machine."""

from guest.pci_core.rebar import pci_restore_rebar_state
from guest.pci_core.types import PciDev
from tests.guest.pci_core.fakes import RegisterFile, Rig, nvme
from tests.guest.pci_core.test_msi import up

REBAR = 0x100
FIRST, SECOND = REBAR + 8, REBAR + 16  # control registers
SIZES = 0x1F00


def resizable(*bars: int) -> RegisterFile:
    """An NVMe function in whose extended space these BARs are resizable."""
    function = nvme()
    function.put(REBAR, 4, 0x0001_0015)
    for nth, bar in enumerate(bars):
        at = REBAR + 8 + 8 * nth
        function.put(at, 4, len(bars) << 5 | bar)
        function.writable[at] = SIZES
    return function


def restored(rig: Rig, dev: PciDev) -> list[tuple[int, int]]:
    rig.ops.log.clear()
    rig.run(pci_restore_rebar_state(dev))
    return [(where, value) for kind, where, _, value in rig.ops.log if kind == "w"]


def test_each_control_register_is_told_the_size_that_its_bar_has() -> None:
    rig = Rig()
    dev = up(resizable(0, 2), rig)
    dev.resource[0].end = dev.resource[0].start + (8 << 20) - 1
    dev.resource[2].end = dev.resource[2].start + 4096 - 1
    assert restored(rig, dev) == [(FIRST, 0x0340), (SECOND, 0x0042)]


def test_a_bar_that_the_function_lacks_has_the_smallest_size() -> None:
    rig = Rig()
    dev = up(resizable(7), rig)
    rig.ops.functions[0].put(FIRST, 4, 0x0527)
    assert restored(rig, dev) == [(FIRST, 0x0027)]


def test_nothing_is_written_to_a_function_without_them_or_that_is_gone() -> None:
    rig = Rig()
    assert restored(rig, up(nvme(), rig)) == []
    rig = Rig()
    dev = up(resizable(0), rig)
    rig.ops.functions[0].put(FIRST, 4, 0xFFFF_FFFF)
    assert restored(rig, dev) == []
