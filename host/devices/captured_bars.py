# SPDX-License-Identifier: MIT
"""Which memory BARs a captured device has, and how large each is.

Sizes come from ``[size=...]`` in the text, else the Resizable BAR or Enhanced Allocation
capability, else the user. I/O BARs are dropped with a note, as Hyper-V assigns none.
"""

from collections.abc import Mapping
from typing import NamedTuple

from host.devices.bar_capabilities import EnhancedBar, enhanced_bars, resizable_bars
from host.devices.capture_text import CapturedDevice, Region
from host.devices.problems import DeviceFileError
from host.devices.sizes import OPTION, bar_size_problem, format_size
from protocol.pci_regs import (
    BAR_COUNT,
    PCI_BASE_ADDRESS_0,
    PCI_BASE_ADDRESS_FLAGS,
    PCI_BASE_ADDRESS_MEM_PREFETCH,
    PCI_BASE_ADDRESS_MEM_TYPE_64,
    PCI_BASE_ADDRESS_SPACE_IO,
    Bar,
)

_FOUR_GIB = 1 << 32
_ALL_ONES = 0xFFFF_FFFF  # what an unreachable or unimplemented register reads


class _Shape(NamedTuple):
    """A BAR before its size is known."""

    io: bool
    wide: bool
    prefetchable: bool
    address: int  # 0: not known


class _Sources(NamedTuple):
    """Everything that may tell a size, by BAR index."""

    regions: Mapping[int, Region]
    resizable: Mapping[int, int]
    enhanced: Mapping[int, EnhancedBar]
    given: Mapping[int, int]


def captured_bars(
    device: CapturedDevice, config: bytes, file: str, given: Mapping[int, int]
) -> tuple[tuple[Bar, ...], tuple[str, ...]]:
    """(BARs in order, notes); raises ``DeviceFileError`` for a BAR that cannot be or has no size.

    ``config`` must have sound capability chains. ``given`` are the user's sizes in bytes.
    """
    sources = _Sources(device.regions, resizable_bars(config), enhanced_bars(config), given)
    registers = [
        int.from_bytes(config[at : at + 4], "little")
        for at in range(PCI_BASE_ADDRESS_0, PCI_BASE_ADDRESS_0 + 4 * BAR_COUNT, 4)
    ]
    shapes, notes = _shapes(registers, sources)
    missing = [f"{OPTION} {i}=SIZE" for i in shapes if _size(i, sources) is None]
    if missing:
        problem = "the capture does not tell the size of every BAR"
        raise DeviceFileError(file, f"device {device.address}", problem, f"add {' '.join(missing)}")
    for index in given:
        if index not in shapes:
            raise DeviceFileError(
                file, f"{OPTION} {index}", f"the device has no memory BAR {index}",
                f"it has {', '.join(map(str, shapes)) or 'none'}",
            )  # fmt: skip
    bars = tuple(_bar(index, shape, sources, file, notes) for index, shape in shapes.items())
    return bars, tuple(notes)


def _shapes(registers: list[int], sources: _Sources) -> tuple[dict[int, _Shape], list[str]]:
    shapes: dict[int, _Shape] = {}
    notes: list[str] = []
    index = 0
    while index < BAR_COUNT:
        shape = _shape(index, registers, sources)
        if shape and shape.io:
            notes.append(f"BAR {index} is an I/O BAR and was dropped: Hyper-V assigns no I/O ports")
        elif shape:
            shapes[index] = shape
        index += 2 if shape and shape.wide else 1
    return shapes, notes


def _shape(index: int, registers: list[int], sources: _Sources) -> _Shape | None:
    """What BAR ``index`` is, by its register, else by the text and Enhanced Allocation."""
    value = 0 if registers[index] == _ALL_ONES else registers[index]
    region, enhanced = sources.regions.get(index), sources.enhanced.get(index)
    if value & PCI_BASE_ADDRESS_SPACE_IO:
        return _Shape(io=True, wide=False, prefetchable=False, address=0)
    if value:
        wide = bool(value & PCI_BASE_ADDRESS_MEM_TYPE_64)
        high = registers[index + 1] if wide and index + 1 < BAR_COUNT else 0
        address = high << 32 | value & ~PCI_BASE_ADDRESS_FLAGS
        return _Shape(False, wide, bool(value & PCI_BASE_ADDRESS_MEM_PREFETCH), address)
    if enhanced:
        wide = enhanced.wide and _next_is_free(index, registers, sources)
        return _Shape(enhanced.io, wide, enhanced.prefetchable, 0)
    if region:
        # The kernel knows an address that the register does not hold: "[virtual]", as of a VF.
        beyond = region.address is not None and region.address >= _FOUR_GIB
        wide = region.wide or (beyond and _next_is_free(index, registers, sources))
        return _Shape(region.io, wide, region.prefetchable, region.address or 0)
    return None


def _next_is_free(index: int, registers: list[int], sources: _Sources) -> bool:
    """Model: a BAR described in 64 bits elsewhere becomes a 64-bit BAR where a register is free."""
    following = index + 1
    return (
        following < BAR_COUNT
        and registers[following] in {0, _ALL_ONES}
        and following not in sources.regions
        and following not in sources.enhanced
    )


def _size(index: int, sources: _Sources) -> int | None:
    region, enhanced = sources.regions.get(index), sources.enhanced.get(index)
    if region and region.size_bytes is not None:
        return region.size_bytes
    if index in sources.resizable:
        return sources.resizable[index]
    return enhanced.size_bytes if enhanced else sources.given.get(index)


def _bar(index: int, shape: _Shape, sources: _Sources, file: str, notes: list[str]) -> Bar:
    region = sources.regions.get(index)
    where = f"line {region.line}: BAR {index}" if region else f"BAR {index}"
    size = _size(index, sources)
    assert size is not None, "the caller has refused BARs without a size"
    if index in sources.enhanced and size & size - 1:
        rounded = 1 << size.bit_length()
        notes.append(f"BAR {index} of {size} bytes was rounded up to {format_size(rounded)}")
        size = rounded
    given = sources.given.get(index, size)
    if given != size:
        notes.append(f"BAR {index} has {format_size(size)} in the capture; {OPTION} was not needed")
    bits = 64 if shape.wide else 32
    problem = bar_size_problem(size, bits)
    if problem is None and shape.address & size - 1:
        problem = f"address {shape.address:#x} is no multiple of its size {format_size(size)}"
    if problem:
        raise DeviceFileError(file, where, problem, "correct the size or use another capture")
    return Bar(index, size, bits, shape.prefetchable)
