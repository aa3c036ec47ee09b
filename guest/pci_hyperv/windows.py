# SPDX-License-Identifier: MIT
"""MMIO space of a bus: the survey of what its functions need, the windows, the BARs' first values.

Claims address space from VMBus; the arithmetic is in ``resources``. Knows no PCI enumeration.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from guest.events import BridgeWindowAllocated, FunctionReturned
from guest.kernel import ops
from guest.kernel.faults import Uninitialised
from guest.kernel.pages import PAGE_BYTES
from guest.kernel.resource import IORESOURCE_BUSY, IORESOURCE_WINDOW
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.config import PCI_CONFIG_MMIO_LENGTH, Config
from guest.pci_hyperv.resources import (
    BAR_LOW_BITS_KEPT,
    BarAddress,
    has_io_bar,
    highest_power,
    place_bars,
    total_space,
)
from protocol.ids import Gpa
from protocol.pci_regs import PCI_BASE_ADDRESS_0, PCI_COMMAND, PCI_COMMAND_MEMORY

if TYPE_CHECKING:
    from guest.kernel.resource import Resource
    from guest.pci_hyperv.device import HvPciDev

ALL_ADDRESSES = 0xFFFF_FFFF_FFFF_FFFF
WINDOW_LIMITS: Mapping[str, tuple[int, int]] = {
    "low": (0, 0xFFFF_FFFF),
    "high": (0x1_0000_0000, ALL_ADDRESSES),
}  # around 4 GiB


class Windows(Config):
    """What a bus claims of the guest's physical address space."""

    async def survey_child_resources(self, hbus: HvPciBus) -> None:
        """Sum up what the functions need, once, and wake whoever waits for it in probe."""
        await ops.point(self.kernel, "hbus.survey_event")
        event, hbus.survey_event = hbus.survey_event, None
        if event is None:
            return
        # A sum that exists is kept: functions that come later are not counted (open item O21).
        if not hbus.low_mmio_space and not hbus.high_mmio_space:
            await hbus.device_list_lock.lock_irqsave()
            bars = [hpdev.probed_bar for hpdev in hbus.children]
            if any(has_io_bar(probed_bar) for probed_bar in bars):
                self.kernel.log("err", "there's an I/O BAR in this list")
            hbus.low_mmio_space, hbus.high_mmio_space = total_space(bars)
            await hbus.device_list_lock.unlock_irqrestore()
        await event.complete()

    async def hv_allocate_config_window(self, hbus: HvPciBus) -> int:
        """Claim the two pages of the configuration window; 0 or -errno."""
        ret, hbus.mem_config = await self.vmbus.mmio.allocate(
            hbus.hdev.name,
            minimum=0,
            maximum=ALL_ADDRESSES,
            size=PCI_CONFIG_MMIO_LENGTH,
            align=PAGE_BYTES,
        )
        if hbus.mem_config is None:
            self.kernel.emit(FunctionReturned(hbus.relid, "hv_allocate_config_window", ret))
            return ret
        hbus.mem_config.flags |= IORESOURCE_BUSY  # unlike a bridge window, nothing may overlap it
        return 0

    async def hv_free_config_window(self, hbus: HvPciBus) -> None:
        """Give the configuration window back."""
        assert hbus.mem_config is not None
        await self.vmbus.mmio.free(hbus.mem_config)

    async def hv_pci_allocate_bridge_windows(self, hbus: HvPciBus) -> int:
        """Claim what the survey asked for and make it the bridge's windows; 0 or -errno.

        A low window whose high one fails is given back without being busy, so that it is not found
        among all addresses and stays there for ever (open item O28).
        """
        ret = await self._claim_windows(hbus)
        if ret:
            self.kernel.emit(FunctionReturned(hbus.relid, "hv_pci_allocate_bridge_windows", ret))
        return ret

    async def _claim_windows(self, hbus: HvPciBus) -> int:
        if hbus.low_mmio_space:
            ret, hbus.low_mmio_res = await self._claim(hbus, "low", hbus.low_mmio_space)
            if ret:
                return ret
        if hbus.high_mmio_space:
            ret, hbus.high_mmio_res = await self._claim(hbus, "high", hbus.high_mmio_space)
            if ret:
                await self._free(hbus.low_mmio_res)
                return ret
        return 0

    async def _claim(
        self, hbus: HvPciBus, window: str, size_bytes: int
    ) -> tuple[int, Resource | None]:
        minimum, maximum = WINDOW_LIMITS[window]
        ret, res = await self.vmbus.mmio.allocate(
            hbus.hdev.name,
            minimum=minimum,
            maximum=maximum,
            size=size_bytes,
            align=highest_power(size_bytes),
        )
        if res is None:
            self.kernel.log("err", f"need {size_bytes:#x} of {window} MMIO space")
            return ret, None
        res.flags = (res.flags | IORESOURCE_WINDOW) & ~IORESOURCE_BUSY
        hbus.bridge.windows.append(res)
        self.kernel.emit(BridgeWindowAllocated(hbus.relid, window, Gpa(res.start), size_bytes))
        return 0, res

    async def _free(self, res: Resource | None) -> None:
        if res is not None:
            await self.vmbus.mmio.free(res)

    async def hv_pci_free_bridge_windows(self, hbus: HvPciBus) -> None:
        """Give the windows back, as busy as they were claimed."""
        for space, res in (
            (hbus.low_mmio_space, hbus.low_mmio_res),
            (hbus.high_mmio_space, hbus.high_mmio_res),
        ):
            if space and res is not None:
                res.flags |= IORESOURCE_BUSY
                await self._free(res)

    async def prepopulate_bars(self, hbus: HvPciBus) -> None:
        """Give every BAR an address before the PCI core scans: it works much better so.

        Memory decoding goes off first, because a host with it on ignores BAR writes; it stays off,
        so that the core's BAR sizing does not make the host unmap and map real BARs.
        """
        low = hbus.low_mmio_res.start if hbus.low_mmio_space and hbus.low_mmio_res else 0
        high = hbus.high_mmio_res.start if hbus.high_mmio_space and hbus.high_mmio_res else 0
        await hbus.device_list_lock.lock_irqsave()
        children = list(hbus.children)
        command = None  # one variable for all: what a failed read leaves is the last one's
        for hpdev in children:
            command = await self.clear_memory_decoding(hpdev, command)
        placed = place_bars(
            [hpdev.probed_bar for hpdev in children],
            (low, hbus.low_mmio_space),
            (high, hbus.high_mmio_space),
        )
        for address in placed:
            await self._write_bar(children[address.child], address)
        await hbus.device_list_lock.unlock_irqrestore()

    async def clear_memory_decoding(self, hpdev: HvPciDev, before: int | None) -> int:
        """Read-modify-write of the command register; what was written.

        ``before`` is what the variable holds if the read fails; None: nothing yet (open item O24).
        """
        command = await self._hv_pcifront_read_config(hpdev, PCI_COMMAND, 2)
        if command is None:
            command = before
        if command is None:
            raise Uninitialised("prepopulate_bars(): command read before anybody wrote it")
        command &= ~PCI_COMMAND_MEMORY
        await self._hv_pcifront_write_config(hpdev, PCI_COMMAND, 2, command)
        return command

    async def _write_bar(self, hpdev: HvPciDev, placed: BarAddress) -> None:
        where = PCI_BASE_ADDRESS_0 + 4 * placed.bar.number
        low_word = placed.address & BAR_LOW_BITS_KEPT
        await self._hv_pcifront_write_config(hpdev, where, 4, low_word)
        if placed.bar.high:
            await self._hv_pcifront_write_config(hpdev, where + 4, 4, placed.address >> 32)
