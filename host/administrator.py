# SPDX-License-Identifier: MIT
"""What an administrator can do to buses that are offered: eject, rescind, change, break, stall.

Scenario actors call these by name. Knows no channel and no message; offering is the partition's.
"""

from host.bus import VpciBus
from host.clock import Clock
from host.deferral import BOTH, NEVER
from host.events import RequestIgnored, RequestMisanswered
from host.settings import BusConfig
from host.vsp import inputs
from host.vsp.leftovers import failure
from protocol.errors import LocalProtocolError
from protocol.ids import SlotNumber, TransactionId
from protocol.vpci import MessageType


class Administrator:
    """The buses of a partition by name, and what may be done to them from outside.

    ``_buses`` holds the youngest of each name that was offered.
    """

    def __init__(self, buses: tuple[BusConfig, ...], clock: Clock) -> None:
        self._configs = {bus.name: bus for bus in buses}
        self._clock = clock
        self._buses: dict[str, VpciBus] = {}

    def eject(self, name: str, wslot: int = 0) -> None:
        """Ask the guest to give a function up.

        Raises LocalProtocolError where the host cannot: gone, being ejected, never ejects.
        """
        self.bus(name).feed(inputs.EjectRequested(SlotNumber(wslot)))

    def rescind(self, name: str) -> None:
        """Withdraw the offer at once. Raises LocalProtocolError if it is gone."""
        self.bus(name).feed(inputs.RescindRequested())

    def surprise_remove(self, name: str) -> None:
        """The device is physically gone. Raises LocalProtocolError if the offer is gone."""
        self.bus(name).feed(inputs.SurpriseRemoved())

    def relations(self, name: str, wslots: tuple[int, ...]) -> None:
        """Make the bus hold these slots' functions; a list goes out even if nothing changed.

        Raises ValueError for a slot without a configured function.
        """
        self.bus(name).change_relations(wslots)

    def invalidate_block(self, name: str, wslot: int, mask: int) -> None:
        """Tell the guest that blocks changed; bit i of ``mask`` is block i."""
        self.bus(name).feed(inputs.BlockInvalidated(SlotNumber(wslot), mask))

    def fail_next(self, name: str, message: str, status: int) -> None:
        """Answer the next request of a type with an NTSTATUS (unsigned) and do nothing.

        ``message`` is the wire's name, ``PCI_BUS_D0ENTRY``. Raises ValueError for another.
        """
        self.bus(name).feed(failure(name, _type_of(message), status))

    def answer_next(self, name: str, message: str, answer: bytes) -> None:
        """As :meth:`fail_next`, with these bytes in place of an answer."""
        event = RequestMisanswered(name, message, answer)
        self.bus(name).feed(inputs.FaultArmed(_type_of(message), answer, event))

    def ignore_next(self, name: str, message: str) -> None:
        """As :meth:`fail_next`, with no answer at all."""
        event = RequestIgnored(name, message)
        self.bus(name).feed(inputs.FaultArmed(_type_of(message), None, event))

    def answer_late(self, name: str, message: str, answer: bytes) -> None:
        """These bytes answer the last request of a type that one of the three above was about.

        Nothing happens if there was none, or if no channel is open. Raises ValueError as
        :meth:`fail_next`.
        """
        bus, message_type = self.bus(name), _type_of(message)
        if bus.worker is not None and message_type in bus.kept:
            bus.worker.complete(bus.kept[message_type], answer)

    def defer_access(
        self, name: str, wslot: int = 0, kind: str = BOTH, for_ns: int = NEVER
    ) -> None:
        """A function puts off its next access to configuration space, ``read``, ``write`` or both.

        It answers after so many nanoseconds. If it never does, or the host's patience
        (``access_patience_ns``) ends before, a read gives all ones and a write is lost. Raises
        ValueError for another kind.
        """
        self.bus(name).deferral.arm(SlotNumber(wslot), kind, for_ns)

    def stall(self, name: str, stall_ns: int) -> None:
        """Let the bus's channel rest for so many nanoseconds."""
        worker = self.bus(name).worker
        if worker is not None:
            worker.stall(self._clock.now_ns() + stall_ns)

    def forge_packet(
        self, name: str, payload: bytes, *, len8: int | None = None, offset8: int | None = None
    ) -> None:
        """A hostile host: these bytes as an in-band packet, whatever they mean to the guest.

        ``len8`` is how long the packet says it is, ``offset8`` where its payload begins, in units
        of 8 bytes; None is the truth.
        """
        worker = self.bus(name).worker
        if worker is None:
            return
        if len8 is None and offset8 is None:
            worker.send(payload)
        else:
            worker.forge_lengths(payload, len8=len8, offset8=offset8)

    def forge_completion(self, name: str, transaction_id: int, payload: bytes) -> None:
        """A hostile host: these bytes as the answer to a request, asked or not."""
        worker = self.bus(name).worker
        if worker is not None:
            worker.complete(TransactionId(transaction_id), payload)

    def forge_index(self, name: str, ring: str, value: int) -> None:
        """A hostile host: an index of the bus's ring ``to-guest`` or ``to-host`` is this now."""
        worker = self.bus(name).worker
        if worker is not None:
            worker.forge_index(ring, value)

    def raise_interrupt(self, name: str, wslot: int, index: int) -> None:
        """The device raises one of its vectors; nothing happens if it is gone."""
        function = self.bus(name).functions.get(wslot)
        if function is not None:
            function.raise_interrupt(index)

    def bus(self, name: str) -> VpciBus:
        """The bus as it is now. Raises LocalProtocolError before its first offer."""
        self.config(name)
        bus = self._buses.get(name)
        if bus is None:
            raise LocalProtocolError(f"{name} has not been offered")
        return bus

    def config(self, name: str) -> BusConfig:
        """The configured bus. Raises ValueError that lists the names."""
        config = self._configs.get(name)
        if config is None:
            raise ValueError(f"no device {name!r}; there are {', '.join(self._configs)}")
        return config


def _type_of(message: str) -> int:
    """The type of the message of that name. Raises ValueError that lists the names."""
    if message not in MessageType.__members__:
        known = ", ".join(MessageType.__members__)
        raise ValueError(f"unknown message {message!r}; known: {known}")
    return int(MessageType[message])
