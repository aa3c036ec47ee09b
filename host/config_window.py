# SPDX-License-Identifier: MIT
"""The two pages through which a guest reaches configuration space: slot select, then one function.

The selected slot belongs to the bus and survives D0 exit, close and reset. Knows no address and
no message; what a write sets off goes to a hook.
"""

from collections.abc import Callable, Mapping
from typing import Final

from host.address_map import PAGE_BYTES, PAGE_SHIFT, AddressMap, all_ones
from host.assigned import AssignedFunction
from host.knobs import Knobs
from protocol.ids import SlotNumber
from protocol.link import ConfigRead, ConfigWritten

SLOT_BYTES: Final = 4
_ONES: Final = {size: all_ones(size) for size in range(1, 9)}

Emit = Callable[[object], None]


class ConfigWindow:
    """One bus's window over its live functions, ``functions`` being the owner's dictionary."""

    __slots__ = ("_bus", "_emit", "_functions", "_lawful", "_page", "_readable", "_slot")

    def __init__(
        self,
        bus: str,
        functions: Mapping[int, AssignedFunction],
        knobs: Knobs,
        emit: Emit,
    ) -> None:
        self._bus = bus
        self._functions = functions
        self._emit = emit
        self._lawful = _LAWFUL[knobs.unaligned_config_refused, knobs.last_dword_refused]
        self._readable = knobs.slot_page_readable
        self._slot = SlotNumber(0)
        self._page: int | None = None  # number of the slot page while mapped

    def map(self, addresses: AddressMap, gpa: int) -> bool:
        """Route the two pages from ``gpa``; False if either is somebody else's.

        Model: an unaligned base counts as its page's.
        """
        page = gpa >> PAGE_SHIFT
        if not addresses.claim_page(page, self.read_slot, self.write_slot):
            return False
        if not addresses.claim_page(page + 1, self.read_config, self.write_config):
            addresses.release_page(page)
            return False
        self._page = page
        return True

    def unmap(self, addresses: AddressMap) -> None:
        """Give the pages up, if they are ours."""
        if self._page is not None:
            addresses.release_page(self._page)
            addresses.release_page(self._page + 1)
            self._page = None

    def read_slot(self, offset: int, size: int) -> int:
        """Read the slot page."""
        if not self._readable or (offset, size) != (0, SLOT_BYTES):
            return _ONES[size]
        return self._slot

    def write_slot(self, offset: int, size: int, value: int) -> int:
        """Select a slot: four bytes at offset 0, anything else is dropped."""
        if offset == 0 and size == SLOT_BYTES:
            self._slot = SlotNumber(value)
        return 0

    def read_config(self, offset: int, size: int) -> int:
        """Read the selected function; all ones where there is none, or past the page."""
        slot = self._slot
        function = self._functions.get(slot)
        if function is None or not self._lawful(offset, size):
            value = _ONES[size]
        else:
            value = function.read(offset, size)
        self._emit(ConfigRead(self._bus, slot, offset, size, value))
        return value

    def write_config(self, offset: int, size: int, value: int) -> int:
        """Write the selected function; nanoseconds the VP is held."""
        slot = self._slot
        function = self._functions.get(slot)
        self._emit(ConfigWritten(self._bus, slot, offset, size, value))
        if function is None or not self._lawful(offset, size):
            return 0
        return function.write(offset, size, value)


def _within(offset: int, size: int) -> bool:
    return offset + size <= PAGE_BYTES


def _before_last_dword(offset: int, size: int) -> bool:
    return offset + size < PAGE_BYTES


def _aligned(offset: int, size: int) -> bool:
    return size in (1, 2, 4) and offset % size == 0


def _aligned_before_last_dword(offset: int, size: int) -> bool:
    # OpenVMM's bus tests offset + length >= 0x1000, so the last access is refused too.
    return offset + size < PAGE_BYTES and size in (1, 2, 4) and offset % size == 0


_LAWFUL: Final[dict[tuple[bool, bool], Callable[[int, int], bool]]] = {
    (False, False): _within,
    (False, True): _before_last_dword,
    (True, False): _aligned,
    (True, True): _aligned_before_last_dword,
}
