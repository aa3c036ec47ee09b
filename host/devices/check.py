# SPDX-License-Identifier: MIT
"""Whether a profile is a device at all: BARs, capability chains and MSI-X fit each other.

Judges profiles however they came; knows no file format.
"""

from collections.abc import Mapping
from itertools import pairwise

from host.devices.problems import DeviceFileError
from host.devices.profile import DeviceProfile
from host.devices.sizes import bar_size_problem, format_size
from protocol.pci_caps import CapabilityChainError, capabilities
from protocol.pci_regs import (
    BAR_COUNT,
    PCI_HEADER_TYPE,
    PCI_HEADER_TYPE_MASK,
    PCI_VENDOR_ID,
    Bar,
)

BRIDGES: Mapping[int, str] = {1: "a PCI bridge", 2: "a CardBus bridge"}
ANOTHER = "use a capture of an undamaged endpoint"


def check_profile(profile: DeviceProfile, file: str) -> None:
    """Raises ``DeviceFileError`` for what no assignable function could be."""
    check_header(profile.config, file)
    check_chains(profile.config, file)
    _check_bars(profile, file)
    _check_msix(profile, file)


def check_header(config: bytes, file: str) -> None:
    """Raises ``DeviceFileError`` unless this is the header of a living endpoint."""
    vendor = int.from_bytes(config[PCI_VENDOR_ID : PCI_VENDOR_ID + 2], "little")
    if vendor in {0, 0xFFFF}:
        problem = f"vendor id {vendor:#06x} is no device's"
        remedy = "wake the device and capture it again; a virtual function with -nn"
        raise DeviceFileError(file, "config 0x00", problem, remedy)
    header_type = config[PCI_HEADER_TYPE] & PCI_HEADER_TYPE_MASK
    if header_type:
        kind = BRIDGES.get(header_type, "no known kind of device")
        problem = f"header type {header_type} is {kind}"
        raise DeviceFileError(file, "config 0x0e", problem, "choose an endpoint")


def check_chains(config: bytes, file: str) -> None:
    """Raises ``DeviceFileError`` unless both capability chains can be walked to their end."""
    try:
        capabilities(config)
    except CapabilityChainError as error:
        where = f"config {error.offset:#04x}"
        problem = f"the capability chain {error.reason}"
        raise DeviceFileError(file, where, problem, ANOTHER) from None


def _check_bars(profile: DeviceProfile, file: str) -> None:
    for bar in profile.bars:
        where = f"BAR {bar.index}"
        if bar.bits not in {32, 64} or not 0 <= bar.index <= BAR_COUNT - bar.bits // 32:
            problem = f"no register for {bar.bits} address bits"
            raise DeviceFileError(file, where, problem, "use 32 bits, or 64 in BAR 0 to 4")
        problem_of_size = bar_size_problem(bar.size_bytes, bar.bits)
        if problem_of_size:
            raise DeviceFileError(file, where, problem_of_size, "correct its size")
    for bar, following in pairwise(profile.bars):
        if following.index < bar.index + bar.bits // 32:
            where = f"BAR {following.index}"
            problem = f"its register belongs to BAR {bar.index}"
            raise DeviceFileError(file, where, problem, "list each BAR once, in order")
    expected = _type_bits(profile.bars)
    found = [profile.word(0x10 + 4 * index, 4) for index in range(BAR_COUNT)]
    for index, (flags, value) in enumerate(zip(expected, found, strict=True)):
        if flags != value:
            problem = f"config holds {value:#x} where its type bits are {flags:#x}"
            raise DeviceFileError(file, f"BAR {index}", problem, "correct one of the two")


def _type_bits(bars: tuple[Bar, ...]) -> list[int]:
    flags = [0] * BAR_COUNT
    for bar in bars:
        flags[bar.index] = bar.flags
    return flags


def _check_msix(profile: DeviceProfile, file: str) -> None:
    msix = profile.msix
    if msix is None:
        return
    table_bytes, pba_bytes = 16 * msix.vectors, 8 * -(-msix.vectors // 64)
    for what, index, end in (
        ("table", msix.table_bar, msix.table_offset + table_bytes),
        ("pending bits", msix.pba_bar, msix.pba_offset + pba_bytes),
    ):
        bar = profile.bar(index)
        if bar is None:
            problem = f"BAR {index}, where its {what} should be, is no memory BAR of this device"
            raise DeviceFileError(file, "MSI-X", problem, ANOTHER)
        if end > bar.size_bytes:
            size = format_size(bar.size_bytes)
            problem = f"BAR {index} of {size} ends before its {what} at {end:#x}"
            raise DeviceFileError(file, "MSI-X", problem, "correct the BAR's size")
