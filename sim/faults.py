# SPDX-License-Identifier: MIT
"""What goes wrong by choice: each time something could, the chooser is asked, within a budget.

A fault is a choice of its own: nothing, or this fault at this place. Where a scenario allows none
of a kind, nothing of that kind is put in place at all. Knows how often, not what a fault does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from guest.kernel.kernel import Kernel
from host.unreliable import name_of
from sim.choices import FAULT_PREFIX, NO_FAULT, Fault, Option
from sim.fault_events import FaultInjected
from sim.scenario import FaultSpec, fault_field

ALLOCATION_FAILURE: Final = "allocation-failure"
RING_FULL: Final = "ring-full"
LOST_MESSAGE: Final = "lost-message"
DOUBLED_MESSAGE: Final = "doubled-message"
STATUS_CODE: Final = "status-code"
SLOW_HOST: Final = "slow-host"
MMIO_CALL_FAILURE: Final = "mmio-call-failure"

FAULTS: Final = (
    ALLOCATION_FAILURE,
    RING_FULL,
    LOST_MESSAGE,
    DOUBLED_MESSAGE,
    STATUS_CODE,
    SLOW_HOST,
    MMIO_CALL_FAILURE,
)
OF_THE_HOST: Final = (LOST_MESSAGE, DOUBLED_MESSAGE, STATUS_CODE, SLOW_HOST, MMIO_CALL_FAILURE)


class FaultBudget:
    """How many faults of each kind may still happen, and who decides. ``host.unreliable.Mischief``.

    ``ask`` is the chooser's, or whatever stands before it; ``emit`` tells of faults that happened.
    """

    __slots__ = ("_ask", "_emit", "_left")

    def __init__(
        self,
        most: FaultSpec,
        ask: Callable[[Sequence[Option]], int],
        emit: Callable[[object], None],
    ) -> None:
        self._left = {name: getattr(most, fault_field(name)) for name in FAULTS}
        self._ask = ask
        self._emit = emit

    @property
    def host_is_reliable(self) -> bool:
        """Whether no fault of the host is allowed."""
        return not any(self._left[name] for name in OF_THE_HOST)

    def install(self, kernel: Kernel) -> None:
        """Let the kernel ask about what can go wrong in the guest."""
        if self._left[ALLOCATION_FAILURE]:
            kernel.fail_allocation = self._fails
        if self._left[RING_FULL]:
            kernel.ring_is_full = self._has_no_room

    def _happens(self, name: str, what: str) -> bool:
        if not self._left[name]:
            return False
        if self._ask((NO_FAULT, Fault(f"{FAULT_PREFIX}{name}", what))) == 0:
            return False
        self._left[name] -= 1
        self._emit(FaultInjected(name, what))
        return True

    def _fails(self, name: str) -> bool:
        return self._happens(ALLOCATION_FAILURE, name)

    def _has_no_room(self, payload: bytes) -> bool:
        return self._happens(RING_FULL, name_of(payload))

    # --- host.unreliable.Mischief ---

    def loses(self, what: str) -> bool:
        """A packet for the guest is never written."""
        return self._happens(LOST_MESSAGE, what)

    def doubles(self, what: str) -> bool:
        """A packet for the guest is written twice."""
        return self._happens(DOUBLED_MESSAGE, what)

    def refuses(self, what: str) -> bool:
        """A request is answered with a failure, and nothing is done."""
        return self._happens(STATUS_CODE, what)

    def delays(self, what: str) -> bool:
        """The host takes its time over its next turn."""
        return self._happens(SLOW_HOST, what)

    def fails_call(self, what: str) -> bool:
        """An MMIO hypercall does nothing."""
        return self._happens(MMIO_CALL_FAILURE, what)


def any_fault(most: FaultSpec) -> bool:
    """Whether anything may go wrong at all."""
    return most != FaultSpec()
