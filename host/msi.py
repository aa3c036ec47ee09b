# SPDX-License-Identifier: MIT
"""What a function does with an interrupt of its own: MSI and MSI-X, masks and pending bits.

The registers are the state: MSI's lie in configuration space, MSI-X's table and pending bits in BAR
memory. Knows addresses and data as the guest wrote them, not what the hypervisor makes of them.
"""

from typing import Protocol

from host.bar_memory import BarMemory
from host.config_space import ConfigSpace
from host.devices.profile import MsixLayout
from protocol.pci_cap_rows import (
    PCI_MSI_FLAGS_64BIT,
    PCI_MSI_FLAGS_ENABLE,
    PCI_MSI_FLAGS_MASKBIT,
    PCI_MSI_FLAGS_QSIZE,
    PCI_MSIX_FLAGS_ENABLE,
    PCI_MSIX_FLAGS_MASKALL,
)

MSIX_ENTRY_BYTES = 16
MSIX_VECTOR_MASKED = 1  # vector control, bit 0

Message = tuple[int, int]  # (address, data) of the memory write that is the interrupt


class InterruptSource(Protocol):
    """One of a function's ways to interrupt."""

    def enabled(self) -> bool:
        """Whether software has turned it on."""

    def message(self, index: int) -> Message | None:
        """The write that vector ``index`` sends now; None while it is masked."""

    def hold(self, index: int) -> None:
        """Set the pending bit of a masked vector."""

    def release(self) -> tuple[int, ...]:
        """Pending vectors that are no longer masked; their pending bits are cleared."""


def _bits(value: int) -> tuple[int, ...]:
    return tuple(bit for bit in range(value.bit_length()) if value >> bit & 1)


class Msi:
    """The MSI capability at byte offset ``at``. Granted vectors replace the data's low bits."""

    __slots__ = ("_at", "_config", "_data", "_maskable")

    def __init__(self, config: ConfigSpace, at: int) -> None:
        control = config.read(at + 2, 2)
        self._config = config
        self._at = at
        self._data = at + (0x0C if control & PCI_MSI_FLAGS_64BIT else 0x08)
        self._maskable = bool(control & PCI_MSI_FLAGS_MASKBIT)

    def enabled(self) -> bool:
        return bool(self._config.read(self._at + 2, 2) & PCI_MSI_FLAGS_ENABLE)

    def message(self, index: int) -> Message | None:
        granted = self._granted()
        index &= granted - 1
        if self._maskable and self._config.read(self._data + 4, 4) >> index & 1:
            return None
        address = self._config.read(self._at + 4, 4)
        if self._data == self._at + 0x0C:
            address |= self._config.read(self._at + 8, 4) << 32
        return address, self._config.read(self._data, 2) & ~(granted - 1) | index

    def hold(self, index: int) -> None:
        # A vector without a mask bit is never held: ``message`` has given it out.
        pending = self._config.read(self._data + 8, 4)
        self._config.store(self._data + 8, 4, pending | 1 << (index & self._granted() - 1))

    def release(self) -> tuple[int, ...]:
        if not self._maskable or not self.enabled():
            return ()
        pending = self._config.read(self._data + 8, 4)
        ready = pending & ~self._config.read(self._data + 4, 4)
        if ready:
            self._config.store(self._data + 8, 4, pending & ~ready)
        return _bits(ready)

    def _granted(self) -> int:
        # Model: a function that was granted fewer vectors than it asked for folds them by modulo.
        return 1 << min((self._config.read(self._at + 2, 2) & PCI_MSI_FLAGS_QSIZE) >> 4, 5)


class Msix:
    """The MSI-X capability at byte offset ``at``; table and pending bits lie in BAR memory."""

    __slots__ = ("_at", "_config", "_pba", "_pba_word", "_pending", "_table", "_table_word")

    def __init__(
        self, config: ConfigSpace, at: int, layout: MsixLayout, memory: dict[int, BarMemory]
    ) -> None:
        self._config = config
        self._at = at
        self._table = memory[layout.table_bar]
        self._table_word = layout.table_offset // 4
        self._pba = memory[layout.pba_bar]
        self._pba_word = layout.pba_offset // 4
        self._pending = 0

    def enabled(self) -> bool:
        return bool(self._config.read(self._at + 2, 2) & PCI_MSIX_FLAGS_ENABLE)

    def message(self, index: int) -> Message | None:
        if self._config.read(self._at + 2, 2) & PCI_MSIX_FLAGS_MASKALL:
            return None
        written = self._table.words.get  # of an entry's reset values only the mask is not 0
        entry = self._table_word + index * (MSIX_ENTRY_BYTES // 4)
        if written(entry + 3, MSIX_VECTOR_MASKED) & MSIX_VECTOR_MASKED:
            return None
        return written(entry, 0) | written(entry + 1, 0) << 32, written(entry + 2, 0)

    def hold(self, index: int) -> None:
        self._set_pending(self._pending | 1 << index)

    def release(self) -> tuple[int, ...]:
        if not self._pending or not self.enabled():
            return ()
        ready = tuple(index for index in _bits(self._pending) if self.message(index) is not None)
        self._set_pending(self._pending & ~sum(1 << index for index in ready))
        return ready

    def _set_pending(self, pending: int) -> None:
        changed = self._pending ^ pending
        self._pending = pending
        for number in range((changed.bit_length() + 31) // 32):
            self._pba.words[self._pba_word + number] = pending >> 32 * number & 0xFFFF_FFFF
