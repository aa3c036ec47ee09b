# SPDX-License-Identifier: MIT
"""Reading what a function is: pci_setup_device() and its callees in probe.c. Registers nothing."""

from __future__ import annotations

from errno import EIO

from guest.pci_core.bars import pci_read_bases
from guest.pci_core.capability import pci_cfg_space_size, pci_find_vsec_capability
from guest.pci_core.express import set_pcie_port_type
from guest.pci_core.regs import (
    PCI_CB_SUBSYSTEM_ID,
    PCI_CB_SUBSYSTEM_VENDOR_ID,
    PCI_CLASS_BRIDGE_CARDBUS,
    PCI_CLASS_BRIDGE_PCI,
    PCI_CLASS_NOT_DEFINED,
    PCI_CLASS_REVISION,
    PCI_HEADER_TYPE_BRIDGE,
    PCI_HEADER_TYPE_CARDBUS,
    PCI_HEADER_TYPE_NORMAL,
    PCI_ROM_ADDRESS1,
    PCI_VENDOR_ID_INTEL,
    PCI_VSEC_ID_INTEL_TBT,
)
from guest.pci_core.slot import pci_dev_assign_slot
from guest.pci_core.types import PciDev
from protocol.pci_regs import (
    PCI_COMMAND,
    PCI_COMMAND_INTX_DISABLE,
    PCI_HEADER_TYPE,
    PCI_HEADER_TYPE_MASK,
    PCI_HEADER_TYPE_MFD,
    PCI_INTERRUPT_LINE,
    PCI_INTERRUPT_PIN,
    PCI_ROM_ADDRESS,
    PCI_SUBSYSTEM_ID,
    PCI_SUBSYSTEM_VENDOR_ID,
)


async def pci_setup_device(dev: PciDev) -> int:
    """pci_setup_device(): header, class, BARs; -EIO for a header type that does not exist."""
    bus, devfn = dev.bus, dev.devfn
    read = bus.ops.read
    header = (await read(bus, devfn, PCI_HEADER_TYPE, 1))[1]
    dev.hdr_type = header & PCI_HEADER_TYPE_MASK
    dev.multifunction = bool(header & PCI_HEADER_TYPE_MFD)
    await set_pcie_port_type(dev)
    await pci_dev_assign_slot(dev)
    revision = (await read(bus, devfn, PCI_CLASS_REVISION, 4))[1]
    dev.revision = revision & 0xFF
    dev.class_code = revision >> 8
    dev.cfg_size = await pci_cfg_space_size(dev)
    # set_pcie_thunderbolt(), whose answer nobody asks for here
    await pci_find_vsec_capability(dev, PCI_VENDOR_ID_INTEL, PCI_VSEC_ID_INTEL_TBT)
    await _pci_intx_mask_broken(dev)
    return await _read_header(dev)


async def _pci_intx_mask_broken(dev: PciDev) -> None:
    """pci_intx_mask_broken(): whether INTx can be masked is tried out.

    Model: the answer is not kept, nobody shares an INTx here.
    """
    bus, devfn = dev.bus, dev.devfn
    command = (await bus.ops.read(bus, devfn, PCI_COMMAND, 2))[1]
    await bus.ops.write(bus, devfn, PCI_COMMAND, 2, command ^ PCI_COMMAND_INTX_DISABLE)
    await bus.ops.read(bus, devfn, PCI_COMMAND, 2)
    await bus.ops.write(bus, devfn, PCI_COMMAND, 2, command)


async def _read_header(dev: PciDev) -> int:
    """The switch over header types in pci_setup_device().

    Model: no IDE controller in legacy mode, and no subsystem id of a bridge.
    """
    base_class = dev.class_code >> 8
    if dev.hdr_type == PCI_HEADER_TYPE_NORMAL:
        if base_class == PCI_CLASS_BRIDGE_PCI:
            return _ignore_class(dev)
        await _pci_read_irq(dev)
        await pci_read_bases(dev, 6, PCI_ROM_ADDRESS)
        await _read_subsystem(dev, PCI_SUBSYSTEM_VENDOR_ID, PCI_SUBSYSTEM_ID)
    elif dev.hdr_type == PCI_HEADER_TYPE_BRIDGE:
        await _pci_read_irq(dev)
        await pci_read_bases(dev, 2, PCI_ROM_ADDRESS1)
    elif dev.hdr_type == PCI_HEADER_TYPE_CARDBUS:
        if base_class != PCI_CLASS_BRIDGE_CARDBUS:
            return _ignore_class(dev)
        await _pci_read_irq(dev)
        await pci_read_bases(dev, 1, 0)
        await _read_subsystem(dev, PCI_CB_SUBSYSTEM_VENDOR_ID, PCI_CB_SUBSYSTEM_ID)
    else:
        text = f"unknown header type {dev.hdr_type:02x}, ignoring device"
        dev.kernel.log("err", f"pci {dev.name}: {text}")
        return -EIO
    return 0


def _ignore_class(dev: PciDev) -> int:
    text = f"ignoring class {dev.class_code:#08x} (doesn't match header type {dev.hdr_type:02x})"
    dev.kernel.log("err", f"pci {dev.name}: {text}")
    dev.class_code = PCI_CLASS_NOT_DEFINED << 8
    return 0


async def _pci_read_irq(dev: PciDev) -> None:
    read = dev.bus.ops.read
    dev.pin = dev.irq = (await read(dev.bus, dev.devfn, PCI_INTERRUPT_PIN, 1))[1]
    if dev.pin:
        dev.irq = (await read(dev.bus, dev.devfn, PCI_INTERRUPT_LINE, 1))[1]


async def _read_subsystem(dev: PciDev, vendor: int, device: int) -> None:
    read = dev.bus.ops.read
    dev.subsystem_vendor = (await read(dev.bus, dev.devfn, vendor, 2))[1]
    dev.subsystem_device = (await read(dev.bus, dev.devfn, device, 2))[1]
