# SPDX-License-Identifier: MIT
"""A PCI device in hibernation: pci_dev_pm_ops of pci-driver.c.

The driver stops and starts in the first and last phase; in the noirq phases, when the bridge's
channel is still or again open, configuration space is saved and written back.

Model: PME registers are left alone, and so are quirks and wake-up.
"""

from __future__ import annotations

from functools import partial

from guest.kernel.dpm import Hold, PmOps
from guest.pci_core.enable import pci_power_up, pci_update_current_state
from guest.pci_core.refs import pci_dev_get, pci_dev_put
from guest.pci_core.state import pci_restore_state, pci_save_state
from guest.pci_core.types import PCI_UNKNOWN, PciDev


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
    """pci_pm_restore_noirq() and pci_pm_thaw_noirq(), which differ in PME only.

    Each half of pci_pm_power_up_and_verify_state() reads the power-management register.
    """
    await pci_power_up(dev)
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
