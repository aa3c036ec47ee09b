# SPDX-License-Identifier: MIT
"""A channel's worker at which things go wrong: packets get lost or come twice, requests are
refused, answers take their time. Knows what can go wrong and nothing of who decides that it does.

No lawful host does any of this; a guest should survive it all the same.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

from host.channel_worker import ChannelWorker
from host.vsp.inputs import FaultArmed, InvalidationDue, PacketReceived, RingBroken
from host.vsp.leftovers import failure
from protocol.errors import WireFormatError
from protocol.ids import TransactionId
from protocol.status import STATUS_UNSUCCESSFUL
from protocol.vmbus import VM_PKT_COMP
from protocol.vpci import message_name

SLOW_NS: Final = 11 * 10**9  # longer than the driver's patience (hv_pci_bus_exit(): 10 s)
COMPLETION: Final = "VM_PKT_COMP"
REFUSAL: Final = STATUS_UNSUCCESSFUL & 0xFFFF_FFFF  # says nothing of the reason


class Mischief(Protocol):
    """Says at each occasion whether it goes wrong; ``what`` names the message and the bus."""

    def loses(self, what: str) -> bool:
        """A packet for the guest is never written."""

    def doubles(self, what: str) -> bool:
        """A packet for the guest is written twice."""

    def refuses(self, what: str) -> bool:
        """A request is answered with STATUS_UNSUCCESSFUL, and nothing is done."""

    def delays(self, what: str) -> bool:
        """The host takes its next turn on this bus ``SLOW_NS`` later."""

    def fails_call(self, what: str) -> bool:
        """An MMIO hypercall, ``what`` being its name, fails and does nothing."""


class Vsp(Protocol):
    """Who answers the packets, and can be told to refuse one."""

    def feed(self, input_: PacketReceived | InvalidationDue | RingBroken | FaultArmed) -> None:
        """As :class:`host.channel_worker.Owner`; or the next request of a type is refused."""


class Contrary:
    """Stands before whoever answers the packets, and has some requests refused."""

    __slots__ = ("_bus", "_mischief", "_vsp")

    def __init__(self, vsp: Vsp, bus: str, mischief: Mischief) -> None:
        self._vsp = vsp
        self._bus = bus
        self._mischief = mischief

    def feed(self, input_: PacketReceived | InvalidationDue | RingBroken) -> None:
        """Hand it on; before a request that wants an answer, ask whether it is refused."""
        if isinstance(input_, PacketReceived) and input_.wants_completion:
            self._ask_about(input_.payload)
        self._vsp.feed(input_)

    def _ask_about(self, request: bytes) -> None:
        what = f"{name_of(request)} {self._bus}"
        if self._mischief.refuses(what):
            message_type = int.from_bytes(request[:4], "little")
            self._vsp.feed(failure(self._bus, message_type, REFUSAL))


class UnreliableWorker(ChannelWorker):
    """A worker of the bus ``bus`` that asks ``mischief``; the other arguments are a worker's."""

    __slots__ = ("_bus", "_mischief")

    def __init__(self, bus: str, mischief: Mischief, *, owner: Vsp, **worker: Any) -> None:
        super().__init__(owner=Contrary(owner, bus, mischief), **worker)
        self._bus = bus
        self._mischief = mischief

    def signalled(self) -> None:
        """As a worker's, but the turn may be a long time coming."""
        idle = not (self._scheduled or self._stopped)
        if idle and self._mischief.delays(f"turn {self._bus}"):
            self._stalled_until_ns = max(self._stalled_until_ns, self._clock.now_ns() + SLOW_NS)
        super().signalled()

    def _publish(self, packet_type: int, transaction_id: TransactionId, payload: bytes) -> bool:
        name = COMPLETION if packet_type == VM_PKT_COMP else name_of(payload)
        what = f"{name} {self._bus}"
        if self._mischief.loses(what):
            return True
        written = super()._publish(packet_type, transaction_id, payload)
        if written and self._mischief.doubles(what):
            super()._publish(packet_type, transaction_id, payload)
        return written


def name_of(payload: bytes) -> str:
    """The message's name, or what is to be said of one that is too short to have any."""
    try:
        return message_name(payload)
    except WireFormatError:
        return "packet"


def workers(mischief: Mischief | None) -> Callable[[str], Callable[..., ChannelWorker]]:
    """What makes the worker of a bus: a reliable one where there is no mischief."""
    if mischief is None:
        return lambda _: ChannelWorker
    return lambda bus: partial(UnreliableWorker, bus, mischief)
