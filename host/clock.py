# SPDX-License-Identifier: MIT
"""What the host needs from its surroundings: a clock, the guest's processors, the guest's memory.

Three protocols and nothing else. Who stands behind them (a simulated kernel, the real driver in a
C runtime, a fake in a test, a process on a socket) this file refuses to know.
"""

from collections.abc import Callable
from typing import Protocol

from protocol.ids import Gpa, Vector, VpIndex

Cancel = Callable[[], None]
"""Takes a scheduled action back; harmless after the action has run."""

Deliver = Callable[[VpIndex, Vector], None]
"""Raises a device interrupt in a virtual processor."""


class GuestPort(Protocol):
    """How the hypervisor reaches the guest's virtual processors."""

    def synic_message(self, vp: VpIndex, message: bytes) -> None:
        """Put an ``hv_message`` (header and payload, at most 256 bytes) in the VP's SINT 2 slot.

        The guest's side queues it when the slot is full, and raises the interrupt.
        """

    def synic_event(self, vp: VpIndex, flag: int) -> None:
        """Set event flag ``flag`` (a channel's relid) in the VP's SINT 2 flags."""

    def deliver_vector(self, vp: VpIndex, vector: Vector) -> None:
        """Raise a device interrupt: in the VP's local APIC, or arm64's line for an SPI."""


class GuestMemory(Protocol):
    """Guest-physical memory that the guest has shared."""

    def window(self, gpa: Gpa, size_bytes: int) -> memoryview:
        """Return the shared bytes themselves: writes are seen by the other side.

        The pages must be contiguous in guest-physical memory. Raises LookupError where the guest
        has no memory.
        """


class Clock(Protocol):
    """Simulated time."""

    def now_ns(self) -> int:
        """Return nanoseconds since the run began."""

    def later(self, window_ns: tuple[int, int], label: str, action: Callable[[], None]) -> Cancel:
        """Run ``action`` once, within the window counted from now; natural order takes its start.

        ``label`` names the event for whoever chooses orders.
        """
