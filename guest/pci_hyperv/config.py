# SPDX-License-Identifier: MIT
"""Configuration space: the two-page window, and the registers that never reach the host.

Page 0 of the window takes the slot number, page 1 is then that function's configuration space. The
hot path of a bus scan: one look-up, one lock, two accesses, by instructions or, in a confidential
VM, by hypercalls. A hypercall may fail, and a read then leaves its caller's variable as it was:
that is None here. Knows no PCI enumeration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guest.kernel import ops
from guest.kernel.alone import alone
from guest.kernel.faults import Uninitialised
from guest.pci_core.types import PCIBIOS_DEVICE_NOT_FOUND, PCIBIOS_SUCCESSFUL
from guest.pci_hyperv.device import Device, HvPciDev
from guest.pci_hyperv.emulated_registers import EMULATED_READS, emulated_accesses
from guest.pci_hyperv.mmio_calls import hv_pci_read_mmio, hv_pci_write_mmio
from protocol.pci_regs import (
    PCI_CAPABILITY_LIST,
    PCI_COMMAND,
    PCI_SUBSYSTEM_VENDOR_ID,
    PCI_VENDOR_ID,
)

if TYPE_CHECKING:
    from guest.pci_core.types import PciBus
    from guest.pci_hyperv.bus import HvPciBus
    from protocol.ids import Devfn

BUS_END = 256  # behind the last devfn
PCI_CONFIG_MMIO_LENGTH = 0x2000
CFG_PAGE_OFFSET = 0x1000
CFG_PAGE_SIZE = PCI_CONFIG_MMIO_LENGTH - CFG_PAGE_OFFSET
UNTOUCHED = 0  # what the variable begins as that pci_bus_read_config_dword() hands down


def _error_response(size: int) -> int:
    """All ones of ``size`` bytes.

    Model: Linux's driver leaves the value alone, and ``pci_bus_read_config_dword()`` then sets it
    (PCI_SET_ERROR_RESPONSE). Our PCI core calls the driver without that layer between them.
    """
    return (1 << 8 * size) - 1


class Config(Device):
    """Configuration reads and writes, as the PCI core's ``pci_ops``."""

    emulated_reads = emulated_accesses(EMULATED_READS)

    def _window_read(self, hbus: HvPciBus, wslot: int, where: int, size: int) -> int | None:
        """Choose the function and read; None if a hypercall failed. Never suspends."""
        window = hbus.cfg_addr
        if hbus.use_calls:
            hv_pci_write_mmio(self.kernel, window, 4, wslot)
            return hv_pci_read_mmio(self.kernel, window + CFG_PAGE_OFFSET + where, size)
        port = self.kernel.port
        port.mmio_write(window, 4, wslot)
        return port.mmio_read(window + CFG_PAGE_OFFSET + where, size)

    def _window_write(self, hbus: HvPciBus, wslot: int, where: int, size: int, value: int) -> int:
        """Choose the function and write: for how many nanoseconds the host holds the CPU.

        Model: choosing the function takes no time; the write does while BARs are mapped.
        """
        window = hbus.cfg_addr
        if hbus.use_calls:
            hv_pci_write_mmio(self.kernel, window, 4, wslot)
            return hv_pci_write_mmio(self.kernel, window + CFG_PAGE_OFFSET + where, size, value)
        port = self.kernel.port
        port.mmio_write(window, 4, wslot)
        return port.mmio_write(window + CFG_PAGE_OFFSET + where, size, value)

    def _lone_child(self, hbus: HvPciBus, devfn: Devfn) -> HvPciDev | None:
        """The function of that number, for an access that may do without locks and references.

        None if there is none, or if others could notice: the way through the locks says which.
        """
        if (
            self.kernel.crowded
            or hbus.config_lock.owner is not None
            or hbus.device_list_lock.owner is not None
        ):
            return None
        return self.find_child(hbus, self.devfn_to_wslot(devfn))

    def _read_now(self, hpdev: HvPciDev, where: int, size: int) -> int | None:
        """The read itself, under whatever locks the caller holds; None: untouched, as in C.

        Never suspends.
        """
        emulated = self.emulated_reads.get(where << 3 | size)
        if emulated is not None:
            image, shift, mask = emulated
            return image(hpdev.desc) >> shift & mask
        if where + size > CFG_PAGE_SIZE:
            self.kernel.log("err", "attempt to read beyond a function's config space")
            return None
        return self._window_read(hpdev.hbus, hpdev.desc.win_slot, where, size)

    def _write_now(self, hpdev: HvPciDev, where: int, size: int, value: int) -> int:
        """The write itself: for how many nanoseconds the host holds the CPU. Never suspends."""
        if where >= PCI_SUBSYSTEM_VENDOR_ID and where + size <= PCI_CAPABILITY_LIST:
            return 0
        if where < PCI_COMMAND or where + size > CFG_PAGE_SIZE:
            self.kernel.log("err", "attempt to write beyond a function's config space")
            return 0
        return self._window_write(hpdev.hbus, hpdev.desc.win_slot, where, size, value)

    def _needs_lock(self, hbus: HvPciBus) -> bool:
        """Whether anybody could notice if ``config_lock`` were not taken for one access.

        Nothing under it suspends before the access is over, and its points exist in fine-grained
        runs only.
        """
        kernel = self.kernel
        return hbus.config_lock.owner is not None or (kernel.fine and kernel.crowded)

    async def _hv_pcifront_read_config(self, hpdev: HvPciDev, where: int, size: int) -> int | None:
        """Read 1, 2 or 4 bytes; None where C leaves the caller's variable as it was.

        So it does beyond the function's 4 KiB, and where a hypercall failed.
        """
        if where << 3 | size in self.emulated_reads:
            return self._read_now(hpdev, where, size)
        locked = self._needs_lock(hpdev.hbus)
        if locked:
            await hpdev.hbus.config_lock.lock_irqsave()
        value = self._read_now(hpdev, where, size)
        await self._let_go(hpdev.hbus, self.kernel.port.take_read_hold(), locked=locked)
        return value

    async def _hv_pcifront_write_config(
        self, hpdev: HvPciDev, where: int, size: int, value: int
    ) -> None:
        """Write 1, 2 or 4 bytes; subsystem and ROM are read-only, the first four bytes refused."""
        locked = self._needs_lock(hpdev.hbus)
        if locked:
            await hpdev.hbus.config_lock.lock_irqsave()
        held_ns = self._write_now(hpdev, where, size, value)
        await self._let_go(hpdev.hbus, held_ns, locked=locked)

    async def _let_go(self, hbus: HvPciBus, held_ns: int, *, locked: bool) -> None:
        """An access is made: the host lets the CPU go, and that ``config_lock`` if it has it."""
        if held_ns:
            await self._stand_still(hbus, held_ns, locked=locked)
        elif locked:
            await hbus.config_lock.unlock_irqrestore()

    async def _stand_still(self, hbus: HvPciBus, held_ns: int, *, locked: bool) -> None:
        """The host holds the CPU, which holds ``config_lock``."""
        if not locked:
            await hbus.config_lock.lock_irqsave()
        await ops.burn_ns(self.kernel, held_ns, "host holds the CPU")
        await hbus.config_lock.unlock_irqrestore()

    async def _hold_alone(self, hbus: HvPciBus, hpdev: HvPciDev, held_ns: int) -> None:
        """The same where nobody else was there so far: from here on somebody may come."""
        self.get_pcichild(hpdev)
        await self._stand_still(hbus, held_ns, locked=False)
        await self.put_pcichild(hpdev)

    async def hv_pcifront_get_vendor_id(self, hpdev: HvPciDev) -> int:
        """The vendor id the host shows now, 0xFFFF if the device has gone.

        By hypercalls a failed read leaves the result unwritten in C, and it is used all the same
        (open item O12): :class:`Uninitialised`.
        """
        locked = self._needs_lock(hpdev.hbus)
        if locked:
            await hpdev.hbus.config_lock.lock_irqsave()
        vendor_id = self._window_read(hpdev.hbus, hpdev.desc.win_slot, PCI_VENDOR_ID, 2)
        await self._let_go(hpdev.hbus, self.kernel.port.take_read_hold(), locked=locked)
        if vendor_id is None:
            raise Uninitialised("hv_pcifront_get_vendor_id(): val read before anybody wrote it")
        return vendor_id

    def hv_pcifront_next_slot(self, bus: PciBus, devfn: int) -> int:
        """The first slot from ``devfn`` on that a scan has to ask, BUS_END if there is none.

        Every slot, where others could run while it is looked up; else those with functions.
        """
        hbus: HvPciBus = bus.sysdata
        if not alone(self.kernel, hbus.device_list_lock):
            return devfn
        slots = [self.wslot_to_devfn(hpdev.desc.win_slot) & ~7 for hpdev in hbus.children]
        return min((slot for slot in slots if slot >= devfn), default=BUS_END)

    async def hv_pcifront_read_config(
        self, bus: PciBus, devfn: Devfn, where: int, size: int
    ) -> tuple[int, int]:
        """``pci_ops.read``: (PCIBIOS status, value)."""
        hbus: HvPciBus = bus.sysdata
        hpdev = self._lone_child(hbus, devfn)
        if hpdev is not None:
            value = self._read_now(hpdev, where, size)
            held_ns = self.kernel.port.take_read_hold()
            if held_ns:
                await self._hold_alone(hbus, hpdev, held_ns)
            return PCIBIOS_SUCCESSFUL, value or UNTOUCHED
        hpdev = await self.get_pcichild_wslot(hbus, self.devfn_to_wslot(devfn))
        if hpdev is None:
            return PCIBIOS_DEVICE_NOT_FOUND, _error_response(size)
        value = await self._hv_pcifront_read_config(hpdev, where, size)
        await self.put_pcichild(hpdev)
        return PCIBIOS_SUCCESSFUL, value or UNTOUCHED

    async def hv_pcifront_write_config(
        self, bus: PciBus, devfn: Devfn, where: int, size: int, value: int
    ) -> int:
        """``pci_ops.write``: PCIBIOS status. The host may hold the CPU for a while."""
        hbus: HvPciBus = bus.sysdata
        hpdev = self._lone_child(hbus, devfn)
        if hpdev is not None:
            held_ns = self._write_now(hpdev, where, size, value)
            if held_ns:
                await self._hold_alone(hbus, hpdev, held_ns)
            return PCIBIOS_SUCCESSFUL
        hpdev = await self.get_pcichild_wslot(hbus, self.devfn_to_wslot(devfn))
        if hpdev is None:
            return PCIBIOS_DEVICE_NOT_FOUND
        await self._hv_pcifront_write_config(hpdev, where, size, value)
        await self.put_pcichild(hpdev)
        return PCIBIOS_SUCCESSFUL


class HvPcifrontOps:
    """``hv_pcifront_ops``: the entry points under the PCI core's names."""

    __slots__ = ("next_slot", "read", "write")

    def __init__(self, driver: Config) -> None:
        self.next_slot = driver.hv_pcifront_next_slot
        self.read = driver.hv_pcifront_read_config
        self.write = driver.hv_pcifront_write_config
