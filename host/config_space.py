# SPDX-License-Identifier: MIT
"""One function's 4 KiB of configuration space: dwords, and masks generated from rows.

Knows how a write meets read-only, read-write and write-one-to-clear bits, at any offset and size;
knows neither what a register means nor who asks. Reset image and masks are made once per device
profile and shared by all its instances; an instance keeps only the dwords that were written.
"""

import sys
from typing import Final

import numpy as np
import numpy.typing as npt

from protocol.errors import LocalProtocolError
from protocol.pci_caps import register_masks
from protocol.pci_regs import CONFIG_BYTES, Bar

# The dword view reads shared bytes in the machine's order, and PCI is little-endian.
assert sys.byteorder == "little", "the lab runs on little-endian machines"

Bytes = npt.NDArray[np.uint8]
LARGEST_ACCESS = 8  # bytes; x86 has no larger MMIO access that a driver uses on registers
_LANES: Final = (0, 0xFF, 0xFFFF, 0xFF_FFFF, 0xFFFF_FFFF)  # by size: the bits an access covers


def _dwords(image: bytes) -> tuple[int, ...]:
    return tuple(np.frombuffer(image, np.uint32).tolist())


class RegisterFile:
    """What all instances of one profile share: reset image and masks. Never written.

    ``initial``, ``writable``, ``writable_decoding`` and ``w1c`` are numpy bytes of shape (4096,);
    the same as tuples of dwords serve the access path, where a tuple is faster than an array.
    """

    __slots__ = (
        "initial",
        "initial_dwords",
        "w1c",
        "w1c_dwords",
        "writable",
        "writable_decoding",
        "writable_decoding_dwords",
        "writable_dwords",
    )

    def __init__(self, config: bytes, bars: tuple[Bar, ...]) -> None:
        """Derive the masks of ``config`` (4096 bytes); raises ``CapabilityChainError``."""
        masks = register_masks(config, bars)
        self.initial: Bytes = np.frombuffer(config, np.uint8)
        self.writable: Bytes = np.frombuffer(masks.writable, np.uint8)
        self.writable_decoding: Bytes = np.frombuffer(masks.writable_decoding, np.uint8)
        self.w1c: Bytes = np.frombuffer(masks.w1c, np.uint8)
        self.initial_dwords = _dwords(config)
        self.writable_dwords = _dwords(masks.writable)
        self.writable_decoding_dwords = _dwords(masks.writable_decoding)
        self.w1c_dwords = _dwords(masks.w1c)


class ConfigSpace:
    """The registers of one instance. Accesses are 1..8 bytes at any offset, within the 4 KiB."""

    __slots__ = ("_initial", "_registers", "_w1c", "_writable", "_written")

    def __init__(self, registers: RegisterFile) -> None:
        self._registers = registers
        self._initial = registers.initial_dwords
        self._written: dict[int, int] = {}  # dwords by index, where not as out of reset
        self._w1c = registers.w1c_dwords
        self._writable = registers.writable_dwords

    def read(self, offset: int, size: int) -> int:
        """The little-endian value of ``size`` bytes; raises ``LocalProtocolError`` outside."""
        lane = offset & 3
        if 0 <= offset < CONFIG_BYTES and 0 < size <= 4 - lane:
            index = offset >> 2
            return self._written.get(index, self._initial[index]) >> (lane << 3) & _LANES[size]
        return self._read_straddling(offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        """Write ``size`` bytes through the masks; raises ``LocalProtocolError`` outside."""
        lane = offset & 3
        if 0 <= offset < CONFIG_BYTES and 0 < size <= 4 - lane:
            index = offset >> 2
            value = (value & _LANES[size]) << (lane << 3)
            writable = self._writable[index] & _LANES[size] << (lane << 3)
            before = self._written.get(index, self._initial[index])
            kept = before & ~(writable | value & self._w1c[index])
            self._written[index] = kept | value & writable
            return
        self._write_straddling(offset, size, value)

    def store(self, offset: int, size: int, value: int) -> None:
        """Write past the masks: what the device itself or the host puts into a register."""
        _check(offset, size)
        for position in range(size):
            index, shift = offset + position >> 2, 8 * (offset + position & 3)
            kept = self.dword(index) & ~(0xFF << shift)
            self._written[index] = kept | (value >> 8 * position & 0xFF) << shift

    def dword(self, index: int) -> int:
        """The dword at byte offset ``4 * index``."""
        return self._written.get(index, self._initial[index])

    def ignore_bar_writes(self) -> None:
        """Memory decoding is on: the masks without the BARs hold from here."""
        self._writable = self._registers.writable_decoding_dwords

    def accept_bar_writes(self) -> None:
        """Memory decoding is off: BARs can be sized and set."""
        self._writable = self._registers.writable_dwords

    def reset(self) -> None:
        """Back to the profile's image, memory decoding off."""
        self._written.clear()
        self.accept_bar_writes()

    def image(self) -> bytes:
        """A copy of all 4096 bytes."""
        image = self._registers.initial.copy()
        dwords = image.view(np.uint32)
        for index, value in self._written.items():
            dwords[index] = value
        return image.tobytes()

    def _read_straddling(self, offset: int, size: int) -> int:
        _check(offset, size)
        return sum(self.read(offset + position, 1) << 8 * position for position in range(size))

    def _write_straddling(self, offset: int, size: int, value: int) -> None:
        _check(offset, size)
        for position in range(size):
            self.write(offset + position, 1, value >> 8 * position & 0xFF)


def _check(offset: int, size: int) -> None:
    if not 0 < size <= LARGEST_ACCESS:
        raise LocalProtocolError(f"configuration access of {size} bytes; 1 to {LARGEST_ACCESS} are")
    if not 0 <= offset <= CONFIG_BYTES - size:
        raise LocalProtocolError(
            f"configuration access of {size} bytes at {offset:#x} leaves the {CONFIG_BYTES} bytes"
        )
