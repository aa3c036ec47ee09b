# SPDX-License-Identifier: MIT
"""A host under test as the suite reaches it: one vPCI channel at a time, packets and registers.

Ours in this process and somebody else's behind a socket stand behind the same protocol.
"""

from __future__ import annotations

from typing import Final, Protocol
from uuid import UUID

from protocol.hypercall import HypercallResult
from protocol.ids import Vector, VpIndex
from protocol.ring import Packet, Ring
from sim.trace import Stamped

NO_ANSWER: Final = -1
"""In place of a status: the host does not answer."""
Channel = int  # a relid, or what another process calls it


class Access(Protocol):
    """A register access that was begun; its processor waits, and others do not."""

    def ended(self) -> bool:
        """Whether the host has let the processor go on."""

    def value(self) -> int:
        """What a read gave, once it has ended."""


class HostUnderTest(Protocol):
    """One host, fresh. What it cannot do raises :class:`~sim.conformance.case.NotOffered`."""

    @property
    def name(self) -> str:
        """How people call it."""

    def trace(self) -> list[Stamped]:
        """What crossed so far."""

    def offers(self) -> dict[Channel, UUID]:
        """The instance ids of what is offered and not rescinded, oldest first."""

    def open(self, channel: Channel) -> int:
        """Open a channel; the status of the answer, 0 for success, or NO_ANSWER."""

    def close(self, channel: Channel) -> None:
        """Close it."""

    def release(self, channel: Channel) -> None:
        """Give a rescinded channel's number back; then its bus can be offered again."""

    def send(
        self, channel: Channel, packet_type: int, flags: int, transaction_id: int, payload: bytes
    ) -> None:
        """Send one packet."""

    def receive(self, channel: Channel) -> list[Packet]:
        """Let the host act, and take what it has sent on the channel, oldest first."""

    def signals(self, channel: Channel) -> int:
        """How often the host has signalled the channel."""

    def rings(self, channel: Channel) -> tuple[Ring, Ring]:
        """The ring to the host and the one to the guest, in the memory that both share."""

    def signal(self, channel: Channel) -> None:
        """Signal the host, as a guest does that has changed what is in the rings."""

    def mmio_read(self, gpa: int, size: int) -> int:
        """Read guest-physical memory that the host answers for."""

    def mmio_write(self, gpa: int, size: int, value: int) -> None:
        """Write it."""

    def begin_read(self, gpa: int, size: int) -> Access:
        """Begin :meth:`mmio_read` on one processor, and go on with another."""

    def begin_write(self, gpa: int, size: int, value: int) -> Access:
        """:meth:`mmio_write` likewise."""

    def hypercall(self, control: int, data: bytes) -> HypercallResult:
        """Issue a hypercall."""

    def interrupts(self) -> list[tuple[VpIndex, Vector]]:
        """Let the host act, and take the device interrupts since the last question."""

    def pass_time(self, for_ns: int) -> None:
        """Let so much time pass."""

    def order(self, what: str, channel: Channel, **arguments: int | str | tuple[int, ...]) -> None:
        """Have the host's administrator do something: ``eject``, ``rescind``, ``relations``…"""
