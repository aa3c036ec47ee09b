# SPDX-License-Identifier: MIT
"""One assigned PCI function: configuration space, BAR memory, interrupts, configuration blocks.

Knows what an access does to the device and tells the caller what the hypervisor must do about it;
knows neither guest addresses in use nor time. Accesses are answered at once; delays are the
caller's.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NoReturn

import msgspec

from host.bar_memory import BarMemory
from host.config_space import ConfigSpace
from host.devices.profile import DeviceProfile
from host.function_layout import NOTHING, PROFILES_KEPT, FunctionLayout, function_layout
from host.msi import InterruptSource, Message, Msi, Msix
from protocol.errors import LocalProtocolError
from protocol.pci_cap_rows import PCI_EXP_DEVCTL_BCR_FLR
from protocol.pci_regs import (
    PCI_COMMAND,
    PCI_COMMAND_MASTER,
    PCI_COMMAND_MEMORY,
    PCI_HEADER_TYPE,
    PCI_HEADER_TYPE_MFD,
    Bar,
)

_EXP_DEVCAP = 0x04
_EXP_DEVCTL = 0x08
_EXP_DEVCAP_FLR = 1 << 28
# Control, and the mask bits of the 32-bit and the 64-bit form.
_MSI_MASK_DWORDS = (0x00, 0x0C, 0x10)


class BarWindow(msgspec.Struct, frozen=True, gc=False):
    """A BAR as it lies in guest physical memory: BAR index, address and size in bytes."""

    bar: int
    base: int
    size_bytes: int


class BarsMapped(msgspec.Struct, frozen=True, gc=False):
    """Memory decoding went on: these windows answer from here."""

    windows: tuple[BarWindow, ...]


class BarsUnmapped(msgspec.Struct, frozen=True, gc=False):
    """Memory decoding went off: these windows answer no more."""

    windows: tuple[BarWindow, ...]


class WorkCompleted(msgspec.Struct, frozen=True, gc=False):
    """A doorbell was rung: raise ``vector`` once the device's own latency has passed."""

    vector: int


class InterruptsReleased(msgspec.Struct, frozen=True, gc=False):
    """These vectors were pending and have been unmasked: raise them at once."""

    vectors: tuple[int, ...]


FunctionEffect = BarsMapped | BarsUnmapped | WorkCompleted | InterruptsReleased


class Function:
    """A live instance of a profile.

    ``read(offset, size) -> int`` reads configuration space: 1..8 bytes within the 4 KiB, else
    ``LocalProtocolError``. It is the register file's own method; a bus scan calls little else.
    """

    __slots__ = (
        "_active",
        "_decoding",
        "_hooks",
        "_layout",
        "_msi",
        "_msix",
        "blocks",
        "config",
        "memory",
        "profile",
        "read",
    )

    def __init__(self, profile: DeviceProfile) -> None:
        """A function out of reset: memory decoding off, BARs zero, interrupts disabled."""
        self.profile = profile
        self._layout, self._hooks = _shared(profile)
        self.config = ConfigSpace(self._layout.registers)
        self.read: Callable[[int, int], int] = self.config.read
        self._power_up()

    def _power_up(self) -> None:
        layout = self._layout
        self._decoding = False
        self.blocks = dict(self.profile.blocks)
        self.memory = {
            bar.index: BarMemory(
                bar,
                layout.memory_reset.get(bar.index, {}),
                layout.memory_read_only.get(bar.index, NOTHING),
            )
            for bar in self.profile.bars
        }
        self._msi = Msi(self.config, layout.at_msi) if layout.at_msi is not None else None
        self._msix: Msix | None = None
        if layout.msix and layout.at_msix is not None:
            self._msix = Msix(self.config, layout.at_msix, layout.msix, self.memory)
        self._active = self._enabled_source()  # only a write to a hooked dword can change it

    # Configuration space

    def write(self, offset: int, size: int, value: int) -> FunctionEffect | None:
        """Write configuration space: 1..8 bytes within the 4 KiB, else ``LocalProtocolError``.

        BAR writes are ignored while memory decoding is on, as on a Hyper-V host.
        """
        self.config.write(offset, size, value)
        hooks = self._hooks
        hook = hooks.get(offset >> 2) or hooks.get(offset + size - 1 >> 2)
        if hook is None and size > 4:  # may lie over three dwords
            hook = hooks.get(offset + 4 >> 2)
        if hook is None:
            return None
        self._active = self._enabled_source()
        return hook(self, offset, value)

    def probed_bars(self) -> tuple[int, ...]:
        """Six dwords, what all-ones written to the BARs would read back; touches no register."""
        return self._layout.probed

    def windows(self) -> tuple[BarWindow, ...]:
        """Where the BARs lie now. Model: a BAR at address 0 is unset and has no window."""
        bars = self.profile.bars
        windows = [BarWindow(bar.index, self._base(bar), bar.size_bytes) for bar in bars]
        return tuple(window for window in windows if window.base)

    def mark_multifunction(self) -> None:
        """Set the header type's multi-function bit, for a function 0 that has siblings."""
        header_type = self.config.read(PCI_HEADER_TYPE, 1)
        self.config.store(PCI_HEADER_TYPE, 1, header_type | PCI_HEADER_TYPE_MFD)

    def reset(self) -> FunctionEffect | None:
        """Function-level reset: registers, BAR memory and blocks as out of ``__init__``.

        The multi-function bit is the slot's and stays.
        """
        was_decoding, windows = self._decoding, self.windows()
        header_type = self.config.read(PCI_HEADER_TYPE, 1)
        self.config.reset()
        self.config.store(PCI_HEADER_TYPE, 1, header_type)
        self._power_up()
        return BarsUnmapped(windows) if was_decoding else None

    # BAR memory

    def bar_read(self, bar: int, offset: int, size: int) -> int:
        """Read 1, 2, 4 or 8 bytes of a BAR; ``LocalProtocolError`` outside it."""
        memory = self.memory.get(bar) or self._no_memory(bar)
        return memory.read(offset, size)

    def bar_write(self, bar: int, offset: int, size: int, value: int) -> FunctionEffect | None:
        """Write 1, 2, 4 or 8 bytes of a BAR; ``LocalProtocolError`` outside it."""
        memory = self.memory.get(bar) or self._no_memory(bar)
        memory.write(offset, size, value)
        layout = self._layout
        vector = layout.doorbells.get(offset) if bar == 0 else None
        if vector is not None:
            return WorkCompleted(vector)
        if offset >> 2 in layout.msix_table and layout.msix and bar == layout.msix.table_bar:
            return self._released()
        return None

    # Interrupts

    def raise_interrupt(self, index: int) -> Message | None:
        """The device raises vector ``index``: the message to deliver, or None.

        A masked vector becomes pending and is released by the unmasking write. Model: with
        interrupts disabled or bus mastering off the interrupt is lost; there is no INTx.
        """
        source = self._source(index)
        if source is None:
            return None
        message = source.message(index)
        if message is None:
            source.hold(index)
        return message

    # Configuration blocks

    def read_block(self, block_id: int) -> bytes | None:
        """A configuration block's bytes; None for an id this device does not have."""
        return self.blocks.get(block_id)

    def write_block(self, block_id: int, data: bytes) -> bool:
        """Overwrite a block from its start; False for an unknown id or more than it holds.

        Model: a block keeps its length, as a structure of the device's firmware does.
        """
        block = self.blocks.get(block_id)
        if block is None or not 0 < len(data) <= len(block):
            return False
        self.blocks[block_id] = bytes(data) + block[len(data) :]
        return True

    # What a write sets off

    def command_written(self, _offset: int, _value: int) -> FunctionEffect | None:
        """The dword of the command register was written: did memory decoding change?"""
        decoding = bool(self.config.dword(PCI_COMMAND >> 2) & PCI_COMMAND_MEMORY)
        if decoding == self._decoding:
            return None
        self._decoding = decoding
        if decoding:
            self.config.ignore_bar_writes()
            return BarsMapped(self.windows())
        self.config.accept_bar_writes()
        return BarsUnmapped(self.windows())

    def masks_written(self, _offset: int, _value: int) -> FunctionEffect | None:
        """A dword with MSI or MSI-X enable or mask bits was written: is anything released?"""
        return self._released()

    def device_control_written(self, offset: int, value: int) -> FunctionEffect | None:
        """PCIe device control was written: a function-level reset where the function has one."""
        at = self._layout.at_express
        assert at is not None, "hooked only where the capability is"
        ahead = 8 * (offset - at - _EXP_DEVCTL)
        written = value << ahead if ahead >= 0 else value >> -ahead
        capable = self.config.read(at + _EXP_DEVCAP, 4) & _EXP_DEVCAP_FLR
        return self.reset() if capable and written & PCI_EXP_DEVCTL_BCR_FLR else None

    def _released(self) -> InterruptsReleased | None:
        vectors = self._active.release() if self._active is not None else ()
        return InterruptsReleased(vectors) if vectors else None

    def _source(self, index: int) -> InterruptSource | None:
        if not 0 <= index < self._layout.vectors:
            raise LocalProtocolError(
                f"{self.profile.name} has {self._layout.vectors} vectors, none numbered {index}"
            )
        return self._active

    def _enabled_source(self) -> InterruptSource | None:
        if not self.config.dword(PCI_COMMAND >> 2) & PCI_COMMAND_MASTER:
            return None
        if self._msix and self._msix.enabled():
            return self._msix
        return self._msi if self._msi and self._msi.enabled() else None

    def _no_memory(self, bar: int) -> NoReturn:
        raise LocalProtocolError(f"{self.profile.name} has no memory BAR {bar}")

    def _base(self, bar: Bar) -> int:
        low = self.config.dword(bar.offset >> 2) & 0xFFFF_FFF0
        return low | self.config.dword((bar.offset >> 2) + 1) << 32 if bar.bits == 64 else low


_Hook = Callable[[Function, int, int], FunctionEffect | None]


@lru_cache(maxsize=PROFILES_KEPT)
def _shared(profile: DeviceProfile) -> tuple[FunctionLayout, Mapping[int, _Hook]]:
    """The layout, and the dwords whose writing sets something off, by dword index."""
    layout = function_layout(profile)
    hooks: dict[int, _Hook] = {PCI_COMMAND >> 2: Function.command_written}
    if layout.at_msi is not None:
        for at in _MSI_MASK_DWORDS:
            hooks[(layout.at_msi + at) >> 2] = Function.masks_written
    if layout.at_msix is not None:
        hooks[layout.at_msix >> 2] = Function.masks_written
    if layout.at_express is not None:
        hooks[(layout.at_express + _EXP_DEVCTL) >> 2] = Function.device_control_written
    return layout, hooks


def layout_of(profile: DeviceProfile) -> FunctionLayout:
    """What all functions of a profile share."""
    return _shared(profile)[0]
