# SPDX-License-Identifier: MIT
"""What the scan does with the capabilities it looks for: pci_init_capabilities() of probe.c.

Model: the PCI core is one without SR-IOV, ATS, PASID, AER, PTM, DPC, DOE and ASPM, as the one is
that the real driver is compiled with here. Linux looks for their capabilities as well where they
are configured; none of them changes what a vPCI function does. Enhanced allocation is looked for
and not followed, and of virtual channels it is only found out whether they are there.
"""

from __future__ import annotations

from typing import Final

from guest.pci_core.capability import pci_find_capability, pci_find_ext_capability
from guest.pci_core.express import pcie_report_downtraining
from guest.pci_core.regs import (
    PCI_AF_CAP,
    PCI_CAP_ID_AF,
    PCI_CAP_ID_PCIX,
    PCI_CAP_ID_VPD,
    PCI_EXT_CAP_ID_ACS,
    PCI_EXT_CAP_ID_LTR,
    PCI_EXT_CAP_ID_MFVC,
    PCI_EXT_CAP_ID_VC,
    PCI_EXT_CAP_ID_VC9,
    PCI_MSI_FLAGS,
    PCI_MSIX_FLAGS,
    PCI_PM_CAP_PME_MASK,
    PCI_PM_CAP_VER_MASK,
    PCI_PM_CTRL,
    PCI_PM_CTRL_PME_ENABLE,
    PCI_PM_CTRL_PME_STATUS,
    PCI_PM_PMC,
)
from guest.pci_core.types import PciDev
from protocol.pci_cap_rows import PCI_MSI_FLAGS_ENABLE, PCI_MSIX_FLAGS_ENABLE
from protocol.pci_caps import (
    PCI_CAP_ID_EA,
    PCI_CAP_ID_EXP,
    PCI_CAP_ID_MSI,
    PCI_CAP_ID_MSIX,
    PCI_CAP_ID_PM,
)
from protocol.pci_regs import PCI_STATUS

VC_CAPS: Final = (PCI_EXT_CAP_ID_MFVC, PCI_EXT_CAP_ID_VC, PCI_EXT_CAP_ID_VC9)


async def pci_init_capabilities(dev: PciDev) -> None:
    """pci_init_capabilities(): MSI and MSI-X off, PME# off; and who could be reset, and how."""
    await pci_find_capability(dev, PCI_CAP_ID_EA)
    dev.msi_cap = await pci_find_capability(dev, PCI_CAP_ID_MSI)
    if dev.msi_cap:
        await _clear_bit(dev, dev.msi_cap + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE)
    dev.msix_cap = await pci_find_capability(dev, PCI_CAP_ID_MSIX)
    if dev.msix_cap:
        await _clear_bit(dev, dev.msix_cap + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE)
    await _pci_allocate_cap_save_buffers(dev)
    await _pci_pm_init(dev)
    await pci_find_capability(dev, PCI_CAP_ID_VPD)
    await pci_find_ext_capability(dev, PCI_EXT_CAP_ID_ACS)
    await pcie_report_downtraining(dev)
    await _pci_init_reset_methods(dev)


async def _clear_bit(dev: PciDev, pos: int, bit: int) -> None:
    value = (await dev.bus.ops.read(dev.bus, dev.devfn, pos, 2))[1]
    if value & bit:
        await dev.bus.ops.write(dev.bus, dev.devfn, pos, 2, value & ~bit)


async def _pci_allocate_cap_save_buffers(dev: PciDev) -> None:
    """pci_allocate_cap_save_buffers(), which asks again for what is known.

    Model: what is saved has its place in the device; nothing is allocated.
    """
    await pci_find_capability(dev, PCI_CAP_ID_EXP)
    await pci_find_capability(dev, PCI_CAP_ID_PCIX)
    await pci_find_ext_capability(dev, PCI_EXT_CAP_ID_LTR)
    await find_virtual_channels(dev)


async def find_virtual_channels(dev: PciDev) -> None:
    """The loop over vc_caps in vc.c."""
    for cap in VC_CAPS:
        await pci_find_ext_capability(dev, cap)


async def _pci_pm_init(dev: PciDev) -> None:
    """pci_pm_init(): the status register is read for a bit that shortens a delay."""
    pos = await pci_find_capability(dev, PCI_CAP_ID_PM)
    if not pos:
        return
    bus, devfn = dev.bus, dev.devfn
    capabilities = (await bus.ops.read(bus, devfn, pos + PCI_PM_PMC, 2))[1]
    if capabilities & PCI_PM_CAP_VER_MASK > 3:
        text = f"unsupported PM cap regs version ({capabilities & PCI_PM_CAP_VER_MASK})"
        dev.kernel.log("err", f"pci {dev.name}: {text}")
        return
    dev.pm_cap = pos
    dev.pme_support = capabilities & PCI_PM_CAP_PME_MASK
    await pci_pme_off(dev)
    await bus.ops.read(bus, devfn, PCI_STATUS, 2)


async def pci_pme_off(dev: PciDev) -> None:
    """pci_pme_active(dev, false): clears a pending PME# by writing it back."""
    if not dev.pme_support:
        return
    bus, devfn, pos = dev.bus, dev.devfn, dev.pm_cap + PCI_PM_CTRL
    control = (await bus.ops.read(bus, devfn, pos, 2))[1]
    value = (control | PCI_PM_CTRL_PME_STATUS) & ~PCI_PM_CTRL_PME_ENABLE
    await bus.ops.write(bus, devfn, pos, 2, value)


async def _pci_init_reset_methods(dev: PciDev) -> None:
    """pci_init_reset_methods(): each method is asked whether it could.

    Model: nobody resets a function here, so the answers are not kept.
    """
    bus, devfn = dev.bus, dev.devfn
    pos = await pci_find_capability(dev, PCI_CAP_ID_AF)
    if pos:
        await bus.ops.read(bus, devfn, pos + PCI_AF_CAP, 1)
    if dev.pm_cap:
        await bus.ops.read(bus, devfn, dev.pm_cap + PCI_PM_CTRL, 2)
