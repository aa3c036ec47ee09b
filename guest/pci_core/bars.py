# SPDX-License-Identifier: MIT
"""BAR sizing and updating, access by access as Linux does it. Assigns no addresses.

``pci_read_base`` is __pci_read_base() of probe.c, ``pci_std_update_resource`` that of setup-res.c.
When they switch decoding off and on matters here: each change makes the host unmap or map BARs.
"""

from __future__ import annotations

from guest.kernel.resource import (
    IORESOURCE_IO,
    IORESOURCE_MEM,
    IORESOURCE_MEM_64,
    IORESOURCE_PCI_FIXED,
    IORESOURCE_PREFETCH,
    IORESOURCE_READONLY,
    IORESOURCE_ROM_ENABLE,
    IORESOURCE_SIZEALIGN,
    IORESOURCE_UNSET,
    Resource,
)
from guest.pci_core.regs import (
    ALL_ONES,
    PCI_BASE_ADDRESS_IO_MASK,
    PCI_BASE_ADDRESS_MEM_MASK,
    PCI_COMMAND_DECODE_ENABLE,
    PCI_ROM_ADDRESS_ENABLE,
    PCI_ROM_ADDRESS_MASK,
)
from guest.pci_core.types import PCI_ROM_RESOURCE, PciDev
from protocol.pci_regs import (
    PCI_BASE_ADDRESS_0,
    PCI_BASE_ADDRESS_MEM_PREFETCH,
    PCI_BASE_ADDRESS_MEM_TYPE_64,
    PCI_BASE_ADDRESS_MEM_TYPE_MASK,
    PCI_BASE_ADDRESS_SPACE_IO,
    PCI_COMMAND,
    PCI_COMMAND_MEMORY,
)

_IO_SPACE_LIMIT = 0xFFFF


def pci_size(base: int, maxbase: int, mask: int) -> int:
    """pci_size(): decode size in bytes from the read-back of all ones; 0 if it makes no sense."""
    size = mask & maxbase
    if not size:
        return 0
    size &= -size
    if base == maxbase and ((base | (size - 1)) & mask) != mask:
        return 0
    return size


def decode_bar(bar: int) -> int:
    """decode_bar(): resource flags from a BAR's low bits."""
    if bar & PCI_BASE_ADDRESS_SPACE_IO:
        return (bar & ~PCI_BASE_ADDRESS_IO_MASK & ALL_ONES) | IORESOURCE_IO
    flags = (bar & ~PCI_BASE_ADDRESS_MEM_MASK & ALL_ONES) | IORESOURCE_MEM
    if bar & PCI_BASE_ADDRESS_MEM_PREFETCH:
        flags |= IORESOURCE_PREFETCH
    if bar & PCI_BASE_ADDRESS_MEM_TYPE_MASK == PCI_BASE_ADDRESS_MEM_TYPE_64:
        flags |= IORESOURCE_MEM_64
    return flags


async def pci_read_base(dev: PciDev, res: Resource, pos: int, *, rom: bool) -> bool:
    """__pci_read_base(): size the BAR at ``pos`` into ``res``; True if it took two registers.

    Decoding is switched off around the sizing only if it was on, and the command register is read
    for every BAR.
    """
    bus, devfn = dev.bus, dev.devfn
    read, write = bus.ops.read, bus.ops.write
    orig_cmd = (await read(bus, devfn, PCI_COMMAND, 2))[1]
    decoding = orig_cmd & PCI_COMMAND_DECODE_ENABLE
    if decoding:
        await write(bus, devfn, PCI_COMMAND, 2, orig_cmd & ~PCI_COMMAND_DECODE_ENABLE)
    res.name = dev.name
    mask = PCI_ROM_ADDRESS_MASK if rom else ALL_ONES
    low = (await read(bus, devfn, pos, 4))[1]
    await write(bus, devfn, pos, 4, low | mask)
    size = (await read(bus, devfn, pos, 4))[1]
    await write(bus, devfn, pos, 4, low)
    size = 0 if size == ALL_ONES else size  # the device does not work properly
    low = 0 if low == ALL_ONES else low

    address_mask = _start_decoding(res, low, rom=rom)
    base, size = low & address_mask, size & address_mask
    if res.flags & IORESOURCE_IO:
        address_mask &= _IO_SPACE_LIMIT
    wide = bool(res.flags & IORESOURCE_MEM_64)
    if wide:
        high = (await read(bus, devfn, pos + 4, 4))[1]
        await write(bus, devfn, pos + 4, 4, ALL_ONES)
        size_high = (await read(bus, devfn, pos + 4, 4))[1]
        await write(bus, devfn, pos + 4, 4, high)
        base |= high << 32
        size |= size_high << 32
        address_mask |= ALL_ONES << 32
    if decoding:
        await write(bus, devfn, PCI_COMMAND, 2, orig_cmd)
    _finish(res, base, pci_size(base, size, address_mask) if size else 0)
    # After a failure flags are 0, so that the second half of a 64-bit BAR is sized by itself.
    return wide and res.flags != 0


def _start_decoding(res: Resource, low: int, *, rom: bool) -> int:
    """Set the flags from the register's low bits; the mask of its address bits."""
    if rom:
        if low & PCI_ROM_ADDRESS_ENABLE:
            res.flags |= IORESOURCE_ROM_ENABLE
        return PCI_ROM_ADDRESS_MASK
    res.flags = decode_bar(low) | IORESOURCE_SIZEALIGN
    return PCI_BASE_ADDRESS_IO_MASK if res.flags & IORESOURCE_IO else PCI_BASE_ADDRESS_MEM_MASK


def _finish(res: Resource, base: int, size: int) -> None:
    """Bus addresses are CPU addresses here: no window of a vPCI bridge has an offset."""
    if size:
        res.start, res.end = base, base + size - 1
    else:
        res.flags = 0


async def pci_read_bases(dev: PciDev, howmany: int, rom: int) -> None:
    """pci_read_bases(): all BARs of the header type, then the ROM at offset ``rom`` if any."""
    pos = 0
    while pos < howmany:
        wide = await pci_read_base(dev, dev.resource[pos], PCI_BASE_ADDRESS_0 + 4 * pos, rom=False)
        pos += 2 if wide else 1
    if rom:
        res = dev.resource[PCI_ROM_RESOURCE]
        dev.rom_base_reg = rom
        res.flags = (
            IORESOURCE_MEM | IORESOURCE_PREFETCH | IORESOURCE_READONLY | IORESOURCE_SIZEALIGN
        )
        await pci_read_base(dev, res, rom, rom=True)


async def pci_std_update_resource(dev: PciDev, resno: int) -> None:
    """pci_std_update_resource(): write an assigned address into its BAR and check that it stuck.

    Around a 64-bit BAR memory decoding is switched off, and back to what it was, unconditionally:
    both writes go out even if decoding was off all along.
    """
    res = dev.resource[resno]
    flags = res.flags
    if not flags or flags & (IORESOURCE_UNSET | IORESOURCE_PCI_FIXED):
        return
    if resno == PCI_ROM_RESOURCE and not flags & IORESOURCE_ROM_ENABLE:
        return
    reg, new, mask = _register_image(dev, resno, res)
    bus, devfn = dev.bus, dev.devfn
    read, write = bus.ops.read, bus.ops.write
    wide = flags & IORESOURCE_MEM_64
    cmd = 0
    if wide:
        cmd = (await read(bus, devfn, PCI_COMMAND, 2))[1]
        await write(bus, devfn, PCI_COMMAND, 2, cmd & ~PCI_COMMAND_MEMORY)
    await write(bus, devfn, reg, 4, new)
    check = (await read(bus, devfn, reg, 4))[1]
    if (new ^ check) & mask:
        _complain(dev, resno, "error updating", new, check)
    if wide:
        new = res.start >> 32
        await write(bus, devfn, reg + 4, 4, new)
        check = (await read(bus, devfn, reg + 4, 4))[1]
        if check != new:
            _complain(dev, resno, "error updating high", new, check)
        await write(bus, devfn, PCI_COMMAND, 2, cmd)


def _register_image(dev: PciDev, resno: int, res: Resource) -> tuple[int, int, int]:
    """(register offset, its new low dword, the bits that must read back)."""
    start = res.start & ALL_ONES
    if resno == PCI_ROM_RESOURCE:
        return dev.rom_base_reg, start | PCI_ROM_ADDRESS_ENABLE, PCI_ROM_ADDRESS_MASK
    is_io = res.flags & IORESOURCE_IO
    mask = PCI_BASE_ADDRESS_IO_MASK if is_io else PCI_BASE_ADDRESS_MEM_MASK
    return PCI_BASE_ADDRESS_0 + 4 * resno, start | (res.flags & ~mask & 0xF), mask


def _complain(dev: PciDev, resno: int, what: str, new: int, check: int) -> None:
    text = f"pci {dev.name}: BAR {resno}: {what} ({new:#010x} != {check:#010x})"
    dev.kernel.log("err", text)
