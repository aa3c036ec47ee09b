# SPDX-License-Identifier: MIT
"""From a captured device to a profile: the image that a guest is handed.

Knows the bytes of configuration space; the text of a capture is ``capture_text``'s, the BARs are
``captured_bars``'s.
"""

from collections.abc import Mapping
from pathlib import PurePath
from typing import NamedTuple

from host.devices.capture_text import CapturedDevice, choose, config_of, read_capture
from host.devices.captured_bars import captured_bars
from host.devices.check import check_chains, check_header, check_profile
from host.devices.profile import DeviceProfile
from protocol.pci_caps import (
    PCI_CAP_ID_EXP,
    PCI_CAP_ID_MSI,
    PCI_CAP_ID_MSIX,
    find_capability,
    layout_of,
    standard_capabilities,
)
from protocol.pci_regs import (
    BAR_COUNT,
    CONVENTIONAL_BYTES,
    PCI_BASE_ADDRESS_0,
    PCI_COMMAND,
    PCI_INTERRUPT_LINE,
    PCI_ROM_ADDRESS,
    PCI_STATUS,
    PCI_STATUS_INTERRUPT,
    Bar,
)

_STATUS_ERRORS = 0xF900  # the status register's write-one-to-clear bits
_NO_ID = b"\xff\xff\xff\xff"


class Imported(NamedTuple):
    """A profile made from a capture, and what a reader should know of the making."""

    profile: DeviceProfile
    notes: tuple[str, ...]


def import_capture(
    text: str,
    file: str,
    *,
    name: str | None = None,
    bar_sizes: Mapping[int, int] | None = None,
    address: str | None = None,
) -> Imported:
    """A profile from a capture's text. ``file`` is used in messages and, by its stem, as name.

    ``bar_sizes`` gives sizes in bytes for BARs of which the capture tells none; ``address`` chooses
    one of several devices. Raises ``DeviceFileError``, one line, for whatever cannot be used.
    """
    device = choose(read_capture(text, file), file, address)
    dumped, dumped_bytes = config_of(device, file)
    config = _with_ids(device, dumped)
    check_header(config, file)
    check_chains(config, file)
    bars, notes = captured_bars(device, config, file, bar_sizes or {})
    if dumped_bytes == CONVENTIONAL_BYTES and find_capability(config, PCI_CAP_ID_EXP) is not None:
        notes = (*notes, "the capture has no extended configuration space; it reads as zeros")
    profile = DeviceProfile(name or PurePath(file).stem, as_handed_over(config, bars), bars)
    check_profile(profile, file)
    return Imported(profile, notes)


def _with_ids(device: CapturedDevice, config: bytes) -> bytes:
    """A virtual function's own ID registers read all ones; the title line then tells them."""
    if device.ids is None or config[:4] != _NO_ID or config[4:8] == _NO_ID:
        return config
    return b"".join(part.to_bytes(2, "little") for part in device.ids) + config[4:]


def as_handed_over(config: bytes, bars: tuple[Bar, ...]) -> bytes:
    """The image a function has when it is assigned: nothing decoded, nothing enabled.

    Cleared are Command, the error bits of Status, BAR addresses, MSI and MSI-X state. Model: what
    only INTx, I/O ports or an expansion ROM would need is cleared too, since vPCI gives none.
    """
    image = bytearray(config)
    image[PCI_COMMAND : PCI_COMMAND + 2] = bytes(2)
    status = int.from_bytes(config[PCI_STATUS : PCI_STATUS + 2], "little")
    status &= ~(_STATUS_ERRORS | PCI_STATUS_INTERRUPT)
    image[PCI_STATUS : PCI_STATUS + 2] = status.to_bytes(2, "little")
    image[PCI_BASE_ADDRESS_0 : PCI_BASE_ADDRESS_0 + 4 * BAR_COUNT] = bytes(4 * BAR_COUNT)
    for bar in bars:
        image[bar.offset] = bar.flags
    image[PCI_ROM_ADDRESS : PCI_ROM_ADDRESS + 4] = bytes(4)
    image[PCI_INTERRUPT_LINE : PCI_INTERRUPT_LINE + 2] = bytes(2)  # and the pin behind it
    for capability in standard_capabilities(config):
        layout = layout_of(config, capability)
        if layout is None or capability.id not in {PCI_CAP_ID_MSI, PCI_CAP_ID_MSIX}:
            continue
        for row in layout.registers:
            start, end = capability.at + row.offset, capability.at + row.offset + row.size
            state = (1 << 8 * row.size) - 1 if row.name == "pending" else row.rw
            value = int.from_bytes(config[start:end], "little") & ~state
            image[start:end] = value.to_bytes(row.size, "little")
    return bytes(image)
