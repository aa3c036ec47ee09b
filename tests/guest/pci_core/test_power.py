# SPDX-License-Identifier: MIT
"""A PCI device hibernates: what is saved, and in which order it is written back."""

from __future__ import annotations

from errno import EIO

from guest.kernel.dpm import PmEvent
from guest.pci_core.enable import pci_enable_device
from guest.pci_core.msi import PCI_IRQ_MSI, PCI_IRQ_MSIX
from guest.pci_core.state import CONFIG_DWORDS, pci_restore_state, pci_save_state
from guest.pci_core.types import PCI_D0, PCI_UNKNOWN, PciBus, PciDev
from protocol.ids import Devfn
from tests.guest.pci_core.fakes import FakeOps, Rig, nvme
from tests.guest.pci_core.test_msi import TABLE, alloc, msi, up

BARS = range(0x10, 0x28, 4)
COMMAND = 0x04


class Deaf(FakeOps):
    """A function that takes no base address while nobody switches it on."""

    async def write(self, bus: PciBus, devfn: Devfn, where: int, size: int, value: int) -> int:
        assert bus.ops is self
        self.log.append(("w", where, size, value))
        if where not in BARS:
            self.functions[devfn].write(where, size, value)
        return 0


class Sleepy:
    """A function driver that says what is asked of it."""

    name = "sleepy"

    def __init__(self, suspend_error: int = 0) -> None:
        self.said: list[str] = []
        self._suspend_error = suspend_error

    def match(self, _dev: PciDev) -> bool:
        return True

    async def probe(self, _dev: PciDev) -> int:
        return 0

    async def remove(self, _dev: PciDev) -> None:
        self.said.append("remove")

    async def suspend(self, dev: PciDev) -> int:
        assert dev.device_lock.locked
        self.said.append("suspend")
        return self._suspend_error

    async def resume(self, dev: PciDev) -> int:
        assert dev.device_lock.locked
        self.said.append("resume")
        return 0


def bare(rig: Rig) -> PciDev:
    """A function with base addresses, and nobody who drives it."""
    return up(nvme(), rig)


EXPRESS = (0x78, 0x80, 0x98, 0xA0)  # registers of that capability, written back unseen


def writes(rig: Rig) -> list[int]:
    return [where for kind, where, _, _ in rig.ops.log if kind == "w"]


def reset(rig: Rig) -> None:
    """What a function is like when the machine has been off: no address, not switched on."""
    function = rig.ops.functions[0]
    for where in (*BARS, COMMAND):
        function.write(where, 4, 0)
    rig.ops.log.clear()
    rig.port.log.clear()


def test_the_header_is_saved_whole_and_base_addresses_come_back_before_the_command() -> None:
    rig = Rig()
    dev = bare(rig)
    rig.run(pci_save_state(dev))
    saved = dev.saved_config_space
    assert saved is not None
    assert len(saved) == CONFIG_DWORDS
    reset(rig)
    rig.run(pci_restore_state(dev))
    assert writes(rig) == [*EXPRESS, 0x14, COMMAND]
    assert rig.ops.functions[0].get(0x14, 4) == saved[5]
    assert dev.saved_config_space is None


def test_of_the_header_what_has_not_changed_is_not_written() -> None:
    rig = Rig()
    dev = bare(rig)
    rig.run(pci_save_state(dev))
    rig.ops.log.clear()
    rig.run(pci_restore_state(dev))
    assert writes(rig) == [*EXPRESS]


def test_a_base_address_that_is_not_taken_is_written_again_ten_times() -> None:
    rig = Rig()
    dev = bare(rig)
    rig.run(pci_save_state(dev))
    reset(rig)
    deaf = Deaf()
    deaf.functions = rig.ops.functions
    rig.bridge.bus.ops = deaf  # type: ignore[union-attr]  # the bus is there
    before_ns = rig.kernel.now_ns()
    rig.run(pci_restore_state(dev))
    assert [where for kind, where, _, _ in deaf.log if kind == "w"].count(0x14) == 11
    assert rig.kernel.now_ns() - before_ns == 10 * 1_000_000  # a millisecond each time


def test_messages_and_masks_of_msix_come_back_with_memory_switched_on_meanwhile() -> None:
    rig = Rig()
    dev = up(nvme(), rig)
    assert alloc(rig, dev, 1, 2, PCI_IRQ_MSIX) == 2
    entries = {at: rig.port.memory[at] for at in range(TABLE, TABLE + 32, 4)}
    rig.run(pci_save_state(dev))
    reset(rig)
    rig.port.memory.clear()
    dev.current_state = PCI_D0
    rig.run(pci_restore_state(dev))
    assert {at: rig.port.memory[at] for at in entries} == entries
    control = [value for kind, where, _, value in rig.ops.log if (kind, where) == ("w", 0xB2)]
    assert control == [0xC008, 0x8008]


def test_memory_is_switched_on_for_the_table_alone_where_it_was_off() -> None:
    rig = Rig()
    dev = up(nvme(), rig)
    assert alloc(rig, dev, 1, 1, PCI_IRQ_MSIX) == 1
    rig.ops.functions[0].write(COMMAND, 2, 0x0400)
    rig.run(pci_save_state(dev))
    rig.ops.log.clear()
    rig.run(pci_restore_state(dev))
    assert rig.ops.command_writes() == [0x0402, 0x0400]


def test_the_message_of_msi_comes_back_while_msi_is_off() -> None:
    rig = Rig()
    dev = up(msi(), rig)
    assert alloc(rig, dev, 1, 4, PCI_IRQ_MSI) == 4
    function = rig.ops.functions[0]
    before = bytes(function.data[0x50:0x68])
    rig.run(pci_save_state(dev))
    for where in range(0x54, 0x68, 4):
        function.write(where, 4, 0)
    rig.ops.log.clear()
    rig.run(pci_restore_state(dev))
    assert bytes(function.data[0x50:0x68]) == before
    enabled = [
        bool(value & 1) for kind, where, _, value in rig.ops.log if where == 0x52 and kind == "w"
    ]
    assert enabled[0] is False
    assert enabled[-1] is True
    assert [(kind, where) for kind, where, _, _ in rig.ops.log if where in (0x52, 0x60)][-3:] == [
        ("r", 0x52),
        ("w", 0x60),  # the mask
        ("w", 0x52),
    ]


def test_a_function_that_is_gone_is_asked_twice_where_it_is_and_said_to_be_inaccessible() -> None:
    rig = Rig()
    dev = bare(rig)
    rig.ops.functions[0].put(0x44, 2, 0xFFFF)
    dev.enable_cnt = 0
    rig.ops.log.clear()
    assert rig.run(pci_enable_device(dev)) == 0
    assert [where for _, where, _, _ in rig.ops.log] == [0x44, 0x44, COMMAND, 0x3D]
    assert rig.kernel.log_lines[-1][2].endswith("from D3cold to D0, device inaccessible")


def play(rig: Rig, *, restore: bool = True) -> list[int]:
    """Down both phases, and up again."""
    results: list[int] = []

    async def body() -> None:
        pm = rig.kernel.pm
        results.append(await pm.suspend())
        if not results[-1]:
            results.append(await pm.suspend_noirq())
        event = PmEvent.RESTORE if restore else PmEvent.RECOVER
        await pm.resume_noirq(event)
        await pm.resume(event)

    rig.run(body())
    return results


def test_a_driver_stops_before_and_starts_after_its_registers_are_cared_for() -> None:
    rig = Rig()
    driver = Sleepy()
    rig.pci.register_driver(driver)
    dev = bare(rig)
    assert play(rig) == [0, 0]
    assert driver.said == ["suspend", "resume"]
    assert dev.current_state == PCI_D0
    assert dev.refs.value == 2  # the core's and the driver's, as before


def test_a_driver_that_will_not_stop_keeps_the_machine_on_and_is_not_started_again() -> None:
    rig = Rig()
    driver = Sleepy(-EIO)
    rig.pci.register_driver(driver)
    dev = bare(rig)
    assert play(rig, restore=False) == [-EIO]
    assert driver.said == ["suspend"]
    assert dev.current_state == PCI_D0


def test_nobody_knows_the_power_state_of_a_device_that_sleeps() -> None:
    rig = Rig()
    dev = bare(rig)

    async def down() -> None:
        await rig.kernel.pm.suspend()
        await rig.kernel.pm.suspend_noirq()

    rig.run(down())
    assert dev.current_state == PCI_UNKNOWN


def test_a_device_that_is_found_while_the_machine_wakes_is_probed_afterwards() -> None:
    rig = Rig()
    driver = Sleepy()
    rig.pci.register_driver(driver)
    probing = rig.kernel.probing
    rig.run(probing.block())
    dev = bare(rig)
    assert dev.driver is None
    rig.run(probing.unblock())
    assert dev.driver is driver
