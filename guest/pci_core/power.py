# SPDX-License-Identifier: MIT
"""A PCI device in hibernation: pci_dev_pm_ops of pci-driver.c, pci_save_state() of pci.c.

The driver stops and starts in the first and last phase; in the noirq phases, when the bridge's
channel is still or again open, configuration space is saved and written back.

Model: of capabilities only MSI and MSI-X are restored; a vPCI function's PCIe, AER and PME
registers are left alone, and so are quirks and wake-up.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from guest.kernel import ops
from guest.kernel.dpm import Hold, PmOps
from guest.pci_core.enable import pci_update_current_state
from guest.pci_core.msi_restore import pci_restore_msi_state
from guest.pci_core.refs import pci_dev_get, pci_dev_put
from guest.pci_core.types import PCI_UNKNOWN, PciDev

CONFIG_DWORDS: Final = 16
# Dwords in the order in which a header of type 0 is written back, and how often each is tried
# again: the base addresses before the command register, which may switch them on.
RESTORED: Final = (
    *((dword, 0) for dword in range(15, 9, -1)),
    *((dword, 10) for dword in range(9, 3, -1)),
    *((dword, 0) for dword in range(3, -1, -1)),
)


def register_pm(dev: PciDev) -> None:
    """device_pm_add()."""
    restore_noirq, restore = partial(_pci_pm_restore_noirq, dev), partial(_pci_pm_restore, dev)
    pm_ops = PmOps(
        freeze=partial(_pci_pm_freeze, dev),
        freeze_noirq=partial(_pci_pm_freeze_noirq, dev),
        thaw_noirq=restore_noirq,
        thaw=restore,
        restore_noirq=restore_noirq,
        restore=restore,
    )
    hold = Hold(partial(pci_dev_get, dev), partial(pci_dev_put, dev))
    dev.kernel.pm.add(dev, dev.name, pm_ops, hold)


async def _pci_pm_freeze(dev: PciDev) -> int:
    """pci_pm_freeze(): the driver stops; 0 or what it says."""
    await dev.device_lock.lock()
    ret = 0 if dev.driver is None else await dev.driver.suspend(dev)
    await dev.device_lock.unlock()
    return ret


async def _pci_pm_freeze_noirq(dev: PciDev) -> int:
    """pci_pm_freeze_noirq()."""
    await pci_save_state(dev)
    dev.current_state = PCI_UNKNOWN
    return 0


async def _pci_pm_restore_noirq(dev: PciDev) -> int:
    """pci_pm_restore_noirq() and pci_pm_thaw_noirq(), which differ in PME only."""
    await pci_update_current_state(dev)
    await pci_restore_state(dev)
    return 0


async def _pci_pm_restore(dev: PciDev) -> int:
    """pci_pm_restore() and pci_pm_thaw(): the driver starts; 0 or what it says.

    Model: a device without a driver is not enabled, so that there is nothing to enable again.
    """
    await dev.device_lock.lock()
    ret = 0 if dev.driver is None else await dev.driver.resume(dev)
    await dev.device_lock.unlock()
    return ret


async def pci_save_state(dev: PciDev) -> None:
    """pci_save_state(): the header, dword by dword."""
    read, bus, devfn = dev.bus.ops.read, dev.bus, dev.devfn
    dwords = [(await read(bus, devfn, 4 * dword, 4))[1] for dword in range(CONFIG_DWORDS)]
    dev.saved_config_space = tuple(dwords)


async def pci_restore_state(dev: PciDev) -> None:
    """pci_restore_state(): what has changed of the header, then the interrupts.

    Model: every header is written back as one of type 0, since vPCI has no bridges.
    """
    saved = dev.saved_config_space
    if saved is not None:
        for dword, retries in RESTORED:
            await _pci_restore_config_dword(dev, 4 * dword, saved[dword], retries)
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
