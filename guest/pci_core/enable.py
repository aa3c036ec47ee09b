# SPDX-License-Identifier: MIT
"""Switching a function on and off: drivers/pci/pci.c and pci_enable_resources().

Model: a vPCI function is in D0 whenever it can be reached; its power-management register is read,
as Linux does to learn that, and never changed.
"""

from __future__ import annotations

from errno import EINVAL

from guest.kernel.resource import (
    IORESOURCE_IO,
    IORESOURCE_MEM,
    IORESOURCE_ROM_ENABLE,
    IORESOURCE_UNSET,
)
from guest.pci_core.regs import (
    ALL_ONES,
    PCI_LATENCY_TIMER,
    PCI_PM_CTRL,
    PCI_PM_CTRL_STATE_MASK,
)
from guest.pci_core.types import PCI_D0, PCI_ROM_RESOURCE, PciDev
from protocol.pci_regs import (
    PCI_COMMAND,
    PCI_COMMAND_INTX_DISABLE,
    PCI_COMMAND_IO,
    PCI_COMMAND_MASTER,
    PCI_COMMAND_MEMORY,
    PCI_INTERRUPT_PIN,
)

PCI_D3COLD = 4
_STATES = ("D0", "D1", "D2", "D3hot", "D3cold", "unknown")  # pci_power_names[]
_LATENCY_MIN = 16
_LATENCY_DEFAULT = 64


async def pci_enable_device(dev: PciDev) -> int:
    """pci_enable_device(): decode memory and I/O; 0, or -EINVAL if a BAR has no address.

    Counted: only the first call does anything.
    """
    await pci_update_current_state(dev)
    dev.enable_cnt += 1
    if dev.enable_cnt > 1:
        return 0
    if dev.current_state != PCI_D0:
        await _pci_set_full_power_state(dev)
    ret = await _pci_enable_resources(dev)
    if ret < 0:
        dev.enable_cnt -= 1
        return ret
    if dev.msi_enabled or dev.msix_enabled:
        return 0
    bus, devfn = dev.bus, dev.devfn
    if (await bus.ops.read(bus, devfn, PCI_INTERRUPT_PIN, 1))[1]:
        await pci_intx(dev, enable=1)
    return 0


async def pci_update_current_state(dev: PciDev) -> None:
    """pci_update_current_state(): all ones in the register mean that nobody is there."""
    if not dev.pm_cap:
        dev.current_state = PCI_D0
        return
    bus, devfn = dev.bus, dev.devfn
    control = (await bus.ops.read(bus, devfn, dev.pm_cap + PCI_PM_CTRL, 2))[1]
    gone = control == ALL_ONES & 0xFFFF
    dev.current_state = PCI_D3COLD if gone else control & PCI_PM_CTRL_STATE_MASK


async def _pci_set_full_power_state(dev: PciDev) -> None:
    """pci_set_full_power_state(): one that can be reached is asked where it is now."""
    await pci_power_up(dev)
    if dev.pm_cap and dev.current_state != PCI_D3COLD:
        await pci_update_current_state(dev)


async def pci_power_up(dev: PciDev) -> None:
    """pci_power_up(): whether the function is there is asked, and said if it is not."""
    asleep = dev.current_state
    await pci_update_current_state(dev)
    if dev.pm_cap and dev.current_state == PCI_D3COLD:
        text = f"Unable to change power state from {_STATES[asleep]} to D0, device inaccessible"
        dev.kernel.log("err", f"pci {dev.name}: {text}")


async def _pci_enable_resources(dev: PciDev) -> int:
    bus, devfn = dev.bus, dev.devfn
    old = cmd = (await bus.ops.read(bus, devfn, PCI_COMMAND, 2))[1]
    for resno, res in enumerate(dev.resource):
        if not res.flags & (IORESOURCE_IO | IORESOURCE_MEM):
            continue
        if resno == PCI_ROM_RESOURCE and not res.flags & IORESOURCE_ROM_ENABLE:
            continue
        if res.flags & IORESOURCE_UNSET or res.parent is None:
            what = "assigned" if res.flags & IORESOURCE_UNSET else "claimed"
            text = f"BAR {resno} {res.describe()}: not {what}; can't enable device"
            dev.kernel.log("err", f"pci {dev.name}: {text}")
            return -EINVAL
        cmd |= PCI_COMMAND_IO if res.flags & IORESOURCE_IO else PCI_COMMAND_MEMORY
    if cmd != old:
        await bus.ops.write(bus, devfn, PCI_COMMAND, 2, cmd)
    return 0


async def pci_disable_device(dev: PciDev) -> None:
    """pci_disable_device(): the last user takes bus mastering away; decoding stays on."""
    if dev.enable_cnt <= 0:
        dev.kernel.log("warn", f"pci {dev.name}: disabling already-disabled device")
    dev.enable_cnt -= 1
    if dev.enable_cnt == 0:
        await _change_command(dev, clear=PCI_COMMAND_MASTER, add=0)


async def _change_command(dev: PciDev, *, clear: int, add: int) -> None:
    """Read the command register; write it back if that changes anything."""
    bus, devfn = dev.bus, dev.devfn
    old = (await bus.ops.read(bus, devfn, PCI_COMMAND, 2))[1]
    new = old & ~clear | add
    if new != old:
        await bus.ops.write(bus, devfn, PCI_COMMAND, 2, new)


async def pci_set_master(dev: PciDev) -> None:
    """pci_set_master(): let the function reach memory; conventional PCI also gets a latency."""
    await _change_command(dev, clear=0, add=PCI_COMMAND_MASTER)
    if not dev.pcie_cap:
        bus, devfn = dev.bus, dev.devfn
        latency = (await bus.ops.read(bus, devfn, PCI_LATENCY_TIMER, 1))[1]
        if latency < _LATENCY_MIN:
            await bus.ops.write(bus, devfn, PCI_LATENCY_TIMER, 1, _LATENCY_DEFAULT)


async def pci_intx(dev: PciDev, *, enable: int) -> None:
    """pci_intx(): the INTx disable bit, written only if it changes."""
    if enable:
        await _change_command(dev, clear=PCI_COMMAND_INTX_DISABLE, add=0)
    else:
        await _change_command(dev, clear=0, add=PCI_COMMAND_INTX_DISABLE)
