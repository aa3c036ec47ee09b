# SPDX-License-Identifier: MIT
"""A function's configuration space, saved and written back: pci_save_state() of pci.c.

Model: a PCI-X or virtual-channel capability is looked for and not kept.
"""

from __future__ import annotations

from typing import Final

from guest.kernel import ops
from guest.pci_core.capability import pci_find_capability
from guest.pci_core.express import pci_restore_pcie_state, pci_save_pcie_state
from guest.pci_core.init_capabilities import find_virtual_channels
from guest.pci_core.msi_restore import pci_restore_msi_state
from guest.pci_core.rebar import pci_restore_rebar_state
from guest.pci_core.regs import PCI_CAP_ID_PCIX
from guest.pci_core.types import PciDev

CONFIG_DWORDS: Final = 16
# Dwords in the order in which a header of type 0 is written back, and how often each is tried
# again: the base addresses before the command register, which may switch them on.
RESTORED: Final = (
    *((dword, 0) for dword in range(15, 9, -1)),
    *((dword, 10) for dword in range(9, 3, -1)),
    *((dword, 0) for dword in range(3, -1, -1)),
)


async def pci_save_state(dev: PciDev) -> None:
    """pci_save_state(): the header, dword by dword, and the PCI Express capability's registers."""
    read, bus, devfn = dev.bus.ops.read, dev.bus, dev.devfn
    dwords = [(await read(bus, devfn, 4 * dword, 4))[1] for dword in range(CONFIG_DWORDS)]
    dev.saved_config_space = tuple(dwords)
    await pci_save_pcie_state(dev)
    await pci_find_capability(dev, PCI_CAP_ID_PCIX)
    await find_virtual_channels(dev)


async def pci_restore_state(dev: PciDev) -> None:
    """pci_restore_state(): PCI Express, BAR sizes, what of the header has changed, interrupts.

    Model: every header is written back as one of type 0, since vPCI has no bridges.
    """
    await pci_restore_pcie_state(dev)
    await find_virtual_channels(dev)
    await pci_restore_rebar_state(dev)
    saved = dev.saved_config_space
    if saved is not None:
        for dword, retries in RESTORED:
            await _pci_restore_config_dword(dev, 4 * dword, saved[dword], retries)
    await pci_find_capability(dev, PCI_CAP_ID_PCIX)
    await pci_restore_msi_state(dev)
    dev.saved_config_space = None


async def _pci_restore_config_dword(dev: PciDev, offset: int, saved: int, retries: int) -> None:
    """pci_restore_config_dword(): again after a millisecond if the device does not take it."""
    read, write, bus, devfn = dev.bus.ops.read, dev.bus.ops.write, dev.bus, dev.devfn
    if (await read(bus, devfn, offset, 4))[1] == saved:
        return
    await write(bus, devfn, offset, 4, saved)
    for _ in range(retries):
        if (await read(bus, devfn, offset, 4))[1] == saved:
            return
        await ops.udelay(dev.kernel, 1000)
        await write(bus, devfn, offset, 4, saved)
