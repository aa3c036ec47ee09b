# SPDX-License-Identifier: MIT
"""Reads the text of a ``lspci -vvv -xxxx`` capture: which devices, their regions, their bytes.

Knows the text and nothing of what the bytes mean; ``host.devices.importing`` makes a profile of
them. Reads what ``lspci -F`` reads (pciutils, ``lib/dump.c``) and the region lines besides.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from host.devices.problems import DeviceFileError
from host.devices.sizes import parse_size
from protocol.pci_regs import CONFIG_BYTES

ROW_BYTES = 16  # what lspci prints on a line
LISTED_DEVICES = 12  # addresses named in a message
AGAIN = "capture it again with: lspci -vvv -xxxx -s ADDRESS"

_DEVICE = re.compile(r"((?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[01][0-9a-f]\.[0-7])(?:\s|$)", re.IGNORECASE)
_ROW = re.compile(r"([0-9a-f]{2,3}):((?: [0-9a-f]{2}){1,16})\s*", re.IGNORECASE)
_LIKE_A_ROW = re.compile(r"[0-9a-f]{2,3}:", re.IGNORECASE)
_REGION = re.compile(r"\s+Region (\d+): (.*)")
_PLACE = re.compile(r"(Memory|I/O ports) at (\S+)(?: \(([^)]*)\))?")
_HEX = re.compile(r"[0-9a-f]{1,16}", re.IGNORECASE)
_SIZE = re.compile(r"\[size=([^\]]*)(\]?)")
_IDS = re.compile(r"\[([0-9a-f]{4}):([0-9a-f]{4})\]", re.IGNORECASE)


class Region(NamedTuple):
    """A region line of the text. ``address`` and ``size_bytes`` are None where it has none."""

    line: int
    io: bool
    address: int | None
    wide: bool
    prefetchable: bool
    size_bytes: int | None


@dataclass
class CapturedDevice:
    """One device of a capture, as far as the text goes."""

    address: str
    line: int
    ids: tuple[int, int] | None  # vendor and device of the title line, with -nn
    regions: dict[int, Region] = field(default_factory=dict)
    rows: dict[int, bytes] = field(default_factory=dict)
    decoding_capabilities: bool = False  # regions from here on are SR-IOV's


def read_capture(text: str, file: str) -> list[CapturedDevice]:
    """The devices of a capture in file order; raises ``DeviceFileError`` naming the line."""
    devices: list[CapturedDevice] = []
    for number, line in enumerate(text.splitlines(), 1):
        title = _DEVICE.match(line)
        if title:
            ids = _IDS.search(line)
            pair = (int(ids[1], 16), int(ids[2], 16)) if ids else None
            devices.append(CapturedDevice(title[1].lower(), number, pair))
        elif _LIKE_A_ROW.match(line):
            _read_row(devices, line, number, file)
        elif devices:
            _read_detail(devices[-1], line, number, file)
    if not devices:
        raise DeviceFileError(file, "line 1", "no line names a PCI device", AGAIN)
    return devices


def choose(devices: list[CapturedDevice], file: str, address: str | None) -> CapturedDevice:
    """The device at ``address``, or the only one; raises ``DeviceFileError`` listing them."""
    if address is None and len(devices) == 1:
        return devices[0]
    found = [device for device in devices if _same_address(device.address, address)]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(device.address for device in devices[:LISTED_DEVICES])
    more = f" and {len(devices) - LISTED_DEVICES} more" if len(devices) > LISTED_DEVICES else ""
    held = Counter(_whole(device.address) for device in devices)
    once = next((device for device in devices if held[_whole(device.address)] == 1), None)
    if found or once is None:
        where = f"device {(found or devices)[0].address}"
        raise DeviceFileError(file, where, "stands in the capture more than once", "keep one")
    if address is None:
        problem = f"the capture holds {len(devices)} devices ({listed}{more})"
        remedy = f"choose one, for example {file}#{once.address}"
        raise DeviceFileError(file, "device", problem, remedy)
    problem = f"not in the capture, which holds {listed}{more}"
    raise DeviceFileError(file, f"device {address}", problem, "name one of those")


def config_of(device: CapturedDevice, file: str) -> tuple[bytes, int]:
    """(4096 bytes, how many of them were dumped); raises ``DeviceFileError``.

    A dump is 256 bytes or 4096: 64 is what lspci may read without privileges.
    """
    where = f"device {device.address}"
    if not device.rows:
        problem = "has no hex dump"
        raise DeviceFileError(file, where, problem, AGAIN)
    data = bytearray()
    for offset in sorted(device.rows):
        if offset != len(data):
            problem = f"the hex dump lacks the bytes at {len(data):#x}"
            raise DeviceFileError(file, where, problem, AGAIN)
        data += device.rows[offset]
    if len(data) not in {256, CONFIG_BYTES}:
        problem = f"the hex dump ends after {len(data)} bytes"
        raise DeviceFileError(file, where, problem, f"as root, {AGAIN}")
    return bytes(data).ljust(CONFIG_BYTES, b"\0"), len(data)


def _same_address(one: str, other: str | None) -> bool:
    return other is not None and _whole(one) == _whole(other.strip().lower())


def _whole(address: str) -> str:
    """With its domain, which lspci leaves out where all are 0."""
    return address if address.count(":") == 2 else f"0000:{address}"


def _read_row(devices: list[CapturedDevice], line: str, number: int, file: str) -> None:
    where = f"line {number}"
    match = _ROW.fullmatch(line)
    if match is None:
        raise DeviceFileError(file, where, "is no whole line of a hex dump", AGAIN)
    if not devices:
        raise DeviceFileError(file, where, "a hex dump before any device", AGAIN)
    offset, data = int(match[1], 16), bytes.fromhex(match[2])
    if offset % ROW_BYTES or len(data) != ROW_BYTES:
        problem = f"{len(data)} bytes at {offset:#x} where lspci prints {ROW_BYTES}"
        raise DeviceFileError(file, where, problem, AGAIN)
    if offset in devices[-1].rows:
        raise DeviceFileError(file, where, f"the bytes at {offset:#x} come twice", AGAIN)
    devices[-1].rows[offset] = data


def _read_detail(device: CapturedDevice, line: str, number: int, file: str) -> None:
    if "Capabilities:" in line:
        device.decoding_capabilities = True
    match = None if device.decoding_capabilities else _REGION.match(line)
    if match is None:
        return
    place, size = _PLACE.search(match[2]), _SIZE.search(match[2])
    size_bytes = parse_size(size[1]) if size and size[2] else None
    if place is None or int(match[1]) > 5 or (size and size_bytes is None):
        problem = f"region {match[1]} is not understood"
        raise DeviceFileError(file, f"line {number}", problem, AGAIN)
    kind = place[3] or ""
    device.regions[int(match[1])] = Region(
        line=number,
        io=place[1] != "Memory",
        address=_address(place[2]),
        wide="64-bit" in kind,
        prefetchable="prefetchable" in kind and "non-prefetchable" not in kind,
        size_bytes=size_bytes,
    )


def _address(text: str) -> int | None:
    """The address, or None for ``<unassigned>`` and its kin."""
    return int(text, 16) if _HEX.fullmatch(text) else None
