# SPDX-License-Identifier: MIT
"""What a guest reaches at a guest-physical address: by an instruction, or by an MMIO hypercall.

The two differ for an isolated guest. A host emulates an instruction by decoding it, and it cannot
read such a guest's memory; so configuration windows answer to hypercalls only there (commit
2c6ba4216844). BARs are the device's own memory and answer instructions always. Knows no device.
"""

from collections.abc import Callable
from typing import Final

from host.address_map import AddressMap, Route, all_ones
from host.unreliable import Mischief
from protocol.hypercall import (
    HV_HYP_PAGE_SHIFT,
    HV_STATUS_OPERATION_DENIED,
    HV_STATUS_SUCCESS,
)
from protocol.ids import Gpa
from protocol.link import UnclaimedAccess


class Mmio:
    """Guest-physical address space; ``absent_status`` (HV_STATUS) is a hypercall's result where
    nobody answers. With ``mischief`` a hypercall may fail anywhere.

    Model: an instruction that nobody can decode reads all ones, and its writes are dropped.
    """

    def __init__(
        self,
        emit: Callable[[object], None],
        *,
        isolated: bool,
        absent_status: int,
        mischief: Mischief | None = None,
    ) -> None:
        self._emit = emit
        self._fails = mischief.fails_call if mischief is not None else None
        self._absent_status = absent_status
        self.addresses: Final = AddressMap()  # of instructions
        self.windows: Final = AddressMap() if isolated else self.addresses  # of hypercalls
        self._routes = self.addresses.routes

    def read(self, gpa: int, size: int) -> int:
        """An instruction reads; all ones where nobody answers."""
        route = self._routes.get(gpa >> HV_HYP_PAGE_SHIFT) or self.addresses.find(gpa, size)
        if route is None:
            self._emit(UnclaimedAccess(Gpa(gpa), size))
            return all_ones(size)
        return route.read(gpa - route.start, size)

    def write(self, gpa: int, size: int, value: int) -> int:
        """An instruction writes; nanoseconds the VP was held (BARs being mapped or unmapped)."""
        route = self._routes.get(gpa >> HV_HYP_PAGE_SHIFT) or self.addresses.find(gpa, size)
        if route is None:
            self._emit(UnclaimedAccess(Gpa(gpa), size))
            return 0
        return route.write(gpa - route.start, size, value)

    def called_read(self, gpa: int, size: int) -> tuple[int, int]:
        """A hypercall reads: HV_STATUS and value."""
        if self._fails is not None and self._fails("HVCALL_MMIO_READ"):
            return HV_STATUS_OPERATION_DENIED, all_ones(size)
        route = self._called(gpa, size)
        if route is None:
            return self._absent_status, all_ones(size)
        return HV_STATUS_SUCCESS, route.read(gpa - route.start, size)

    def called_write(self, gpa: int, size: int, value: int) -> tuple[int, int]:
        """A hypercall writes: HV_STATUS, and nanoseconds the VP was held."""
        if self._fails is not None and self._fails("HVCALL_MMIO_WRITE"):
            return HV_STATUS_OPERATION_DENIED, 0
        route = self._called(gpa, size)
        if route is None:
            return self._absent_status, 0
        return HV_STATUS_SUCCESS, route.write(gpa - route.start, size, value)

    def _called(self, gpa: int, size: int) -> Route | None:
        windows = self.windows
        route = windows.routes.get(gpa >> HV_HYP_PAGE_SHIFT) or windows.find(gpa, size)
        if route is None:
            self._emit(UnclaimedAccess(Gpa(gpa), size))
        return route
