# SPDX-License-Identifier: MIT
"""Prints functions as ``lspci -D -nn -vvv -xxxx`` does, so that ``lspci -F`` reads them back.

Knows bytes and BAR resources as a guest saw them; asks no device and no bus. What the text decodes
is what importing needs and a reader looks for first; the real ``lspci -F`` decodes the rest.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from host.devices.sizes import format_size
from protocol.pci_cap_rows import (
    PCI_MSI_FLAGS_64BIT,
    PCI_MSI_FLAGS_ENABLE,
    PCI_MSI_FLAGS_MASKBIT,
    PCI_MSI_FLAGS_QMASK,
    PCI_MSI_FLAGS_QSIZE,
    PCI_MSIX_FLAGS_ENABLE,
    PCI_MSIX_FLAGS_MASKALL,
    PCI_MSIX_FLAGS_QSIZE,
)
from protocol.pci_caps import (
    PCI_CAP_ID_MSI,
    PCI_CAP_ID_MSIX,
    Capability,
    CapabilityChainError,
    capabilities,
    layout_of,
)
from protocol.pci_regs import (
    CONFIG_BYTES,
    PCI_CLASS_PROG,
    PCI_COMMAND,
    PCI_COMMAND_MEMORY,
    PCI_DEVICE_ID,
    PCI_REVISION_ID,
    PCI_STATUS,
    PCI_SUBSYSTEM_ID,
    PCI_SUBSYSTEM_VENDOR_ID,
    PCI_VENDOR_ID,
    Bar,
)

ROW_BYTES = 16

# Class names of the kinds of device one assigns; pci.ids has the others.
CLASSES: Mapping[int, str] = {
    0x0104: "RAID bus controller",
    0x0107: "Serial Attached SCSI controller",
    0x0108: "Non-Volatile memory controller",
    0x0200: "Ethernet controller",
    0x0207: "Infiniband controller",
    0x0280: "Network controller",
    0x0300: "VGA compatible controller",
    0x0302: "3D controller",
    0x0380: "Display controller",
    0x0403: "Audio device",
    0x0880: "System peripheral",
    0x0B40: "Co-processor",
    0x0C03: "USB controller",
    0x1200: "Processing accelerators",
}
CONTROL_BITS: Mapping[str, int] = {
    "I/O": 0x001, "Mem": 0x002, "BusMaster": 0x004, "SpecCycle": 0x008, "MemWINV": 0x010,
    "VGASnoop": 0x020, "ParErr": 0x040, "Stepping": 0x080, "SERR": 0x100, "FastB2B": 0x200,
    "DisINTx": 0x400,
}  # fmt: skip
STATUS_BITS: Mapping[str, int] = {
    "Cap": 0x0010, "66MHz": 0x0020, "UDF": 0x0040, "FastB2B": 0x0080, "ParErr": 0x0100,
    ">TAbort": 0x0800, "<TAbort": 0x1000, "<MAbort": 0x2000, ">SERR": 0x4000, "<PERR": 0x8000,
    "INTx": 0x0008,
}  # fmt: skip


class PciAddress(NamedTuple):
    """Where a function is; printed as ``domain:bus:device.function``, the domain always."""

    domain: int
    bus: int
    device: int
    function: int

    def __str__(self) -> str:
        return f"{self.domain:04x}:{self.bus:02x}:{self.device:02x}.{self.function:x}"


class SeenBar(NamedTuple):
    """A memory resource of a function: which BAR, and its address (0 when none was assigned)."""

    bar: Bar
    start: int


class SeenFunction(NamedTuple):
    """What a guest sees of a function: its resources and its 4096 bytes as its own reads gave them.

    The identity is in ``config``: a vPCI guest overlays what bus relations told.
    """

    address: PciAddress
    bars: tuple[SeenBar, ...]
    config: bytes


def print_functions(functions: Iterable[SeenFunction]) -> str:
    """One text for all of them, apart by an empty line."""
    return "\n".join(print_function(function) for function in functions)


def print_function(seen: SeenFunction) -> str:
    """The text of one function, ending in a newline."""
    lines = [_title(seen), *(f"\t{line}" for line in _details(seen)), *_hex(seen.config)]
    return "\n".join(lines) + "\n"


def _word(config: bytes, offset: int) -> int:
    return int.from_bytes(config[offset : offset + 2], "little")


def _title(seen: SeenFunction) -> str:
    config = seen.config
    code = config[0x0B] << 8 | config[0x0A]
    ids = f"[{_word(config, PCI_VENDOR_ID):04x}:{_word(config, PCI_DEVICE_ID):04x}]"
    title = f"{seen.address} {CLASSES.get(code, 'Class')} [{code:04x}]: Device {ids}"
    revision, interface = config[PCI_REVISION_ID], config[PCI_CLASS_PROG]
    title += f" (rev {revision:02x})" if revision else ""
    return title + (f" (prog-if {interface:02x})" if interface else "")


def _details(seen: SeenFunction) -> Iterator[str]:
    config = seen.config
    vendor, device = _word(config, PCI_SUBSYSTEM_VENDOR_ID), _word(config, PCI_SUBSYSTEM_ID)
    if vendor not in {0, 0xFFFF}:
        yield f"Subsystem: Device [{vendor:04x}:{device:04x}]"
    command = _word(config, PCI_COMMAND)
    yield f"Control: {_flags(command, CONTROL_BITS)}"
    yield f"Status: {_flags(_word(config, PCI_STATUS), STATUS_BITS)}"
    for bar in seen.bars:
        yield _region(bar, command)
    yield from _capabilities(config)


def _flags(value: int, bits: Mapping[str, int]) -> str:
    return " ".join(name + ("+" if value & bit else "-") for name, bit in bits.items())


def _region(seen: SeenBar, command: int) -> str:
    bar = seen.bar
    place = f"{seen.start:x}" if seen.start else "<unassigned>"
    kind = f"{bar.bits}-bit, {'' if bar.prefetchable else 'non-'}prefetchable"
    disabled = "" if command & PCI_COMMAND_MEMORY else " [disabled]"
    size = format_size(bar.size_bytes)
    return f"Region {bar.index}: Memory at {place} ({kind}){disabled} [size={size}]"


def _capabilities(config: bytes) -> Iterator[str]:
    try:
        found = capabilities(config)
    except CapabilityChainError as error:
        yield f"Capabilities: [{error.offset:02x}] <chain broken>"
        return
    for capability in found:
        layout = layout_of(config, capability)
        name = layout.name if layout else f"Extended Capability ID {capability.id:#x}"
        version = f" v{capability.version}" if capability.extended else ""
        yield f"Capabilities: [{capability.at:02x}{version}] {name}{_state(config, capability)}"


def _state(config: bytes, capability: Capability) -> str:
    control = _word(config, capability.at + 2)
    if capability.extended:
        return ""
    if capability.id == PCI_CAP_ID_MSI:
        enabled = _flags(control, {"Enable": PCI_MSI_FLAGS_ENABLE})
        count = 1 << ((control & PCI_MSI_FLAGS_QSIZE) >> 4)
        of = 1 << ((control & PCI_MSI_FLAGS_QMASK) >> 1)
        forms = {"Maskable": PCI_MSI_FLAGS_MASKBIT, "64bit": PCI_MSI_FLAGS_64BIT}
        return f": {enabled} Count={count}/{of} {_flags(control, forms)}"
    if capability.id == PCI_CAP_ID_MSIX:
        enabled = _flags(control, {"Enable": PCI_MSIX_FLAGS_ENABLE})
        masked = _flags(control, {"Masked": PCI_MSIX_FLAGS_MASKALL})
        table, pba = (
            int.from_bytes(config[at : at + 4], "little")
            for at in (capability.at + 4, capability.at + 8)
        )
        places = (
            f"\n\t\tVector table: BAR={table & 7} offset={table & ~7:08x}"
            f"\n\t\tPBA: BAR={pba & 7} offset={pba & ~7:08x}"
        )
        return f": {enabled} Count={(control & PCI_MSIX_FLAGS_QSIZE) + 1} {masked}{places}"
    return ""


def _hex(config: bytes) -> Iterator[str]:
    for at in range(0, CONFIG_BYTES, ROW_BYTES):
        yield f"{at:02x}: {config[at : at + ROW_BYTES].hex(' ')}"
