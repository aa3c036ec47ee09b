# SPDX-License-Identifier: MIT
"""The two pages through which a guest reaches configuration space: slot select, then one function.

The selected slot belongs to the bus and survives D0 exit, close and reset. Knows no address and
no message; what a write sets off goes to a hook.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from host.address_map import AddressMap, all_ones
from host.assigned import AssignedFunction
from host.deferral import Deferral
from host.knobs import Knobs
from protocol.hypercall import HV_HYP_PAGE_SHIFT, HV_HYP_PAGE_SIZE
from protocol.ids import SlotNumber
from protocol.link import ConfigRead, ConfigWritten

SLOT_BYTES: Final = 4
WINDOW_BYTES: Final = 2 * HV_HYP_PAGE_SIZE  # the slot page and the configuration page
NOWHERE: Final = -1  # no offset is as small
_ONES: Final = {size: all_ones(size) for size in (1, 2, 4, 8)}

# By size in bytes: the last offset a lawful access begins at, the offset bits it must not have.
Bounds = dict[int, tuple[int, int]]
Emit = Callable[[object], None]


class ConfigWindow:
    """One bus's window over its live functions, ``functions`` being the owner's dictionary."""

    __slots__ = (
        "_bounds",
        "_bus",
        "_deferral",
        "_emit",
        "_functions",
        "_page",
        "_readable",
        "_slot",
    )

    def __init__(
        self,
        bus: str,
        functions: Mapping[int, AssignedFunction],
        knobs: Knobs,
        emit: Emit,
        deferral: Deferral,
    ) -> None:
        self._bus = bus
        self._functions = functions
        self._emit = emit
        self._deferral = deferral
        self._bounds = _BOUNDS[knobs.unaligned_config_refused, knobs.last_dword_refused]
        self._readable = knobs.slot_page_readable
        self._slot = SlotNumber(0)
        self._page: int | None = None  # number of the slot page while mapped

    @property
    def mapped(self) -> bool:
        """Whether the two pages answer somewhere."""
        return self._page is not None

    def map(self, addresses: AddressMap, gpa: int) -> bool:
        """Route the two pages from ``gpa``; False if either is somebody else's.

        Model: an unaligned base counts as its page's.
        """
        page = gpa >> HV_HYP_PAGE_SHIFT
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
        last, misaligned = self._bounds[size]
        if function is None or offset > last or offset & misaligned:
            value = _ONES[size]
        else:
            value = function.read(offset, size)
            if self._deferral.armed:
                value = self._deferral.read(slot, size, value)
        self._emit(ConfigRead(self._bus, slot, offset, size, value))
        return value

    def write_config(self, offset: int, size: int, value: int) -> int:
        """Write the selected function; nanoseconds the VP is held."""
        slot = self._slot
        if self._deferral.armed and slot in self._functions:
            late = partial(self._write_late, slot, offset, size, value)
            held_ns = self._deferral.write(slot, late)
            if held_ns:
                return held_ns
        return self._write(slot, offset, size, value)

    def _write_late(self, slot: SlotNumber, offset: int, size: int, value: int) -> None:
        """What was put off is done now, if the function is still there."""
        if slot in self._functions:
            self._write(slot, offset, size, value)

    def _write(self, slot: SlotNumber, offset: int, size: int, value: int) -> int:
        function = self._functions.get(slot)
        self._emit(ConfigWritten(self._bus, slot, offset, size, value))
        last, misaligned = self._bounds[size]
        if function is None or offset > last or offset & misaligned:
            return 0
        return function.write(offset, size, value)


def _but_the_last(bounds: Bounds) -> Bounds:
    """OpenVMM tests offset + length >= 0x1000, so an access that ends with the page is refused."""
    return {size: (last - 1, misaligned) for size, (last, misaligned) in bounds.items()}


_ANY: Final[Bounds] = {size: (HV_HYP_PAGE_SIZE - size, 0) for size in _ONES}
_ALIGNED: Final[Bounds] = {
    **{size: (HV_HYP_PAGE_SIZE - size, size - 1) for size in (1, 2, 4)},
    8: (NOWHERE, 0),
}
# By the knobs unaligned_config_refused and last_dword_refused.
_BOUNDS: Final = {
    (False, False): _ANY,
    (False, True): _but_the_last(_ANY),
    (True, False): _ALIGNED,
    (True, True): _but_the_last(_ALIGNED),
}
