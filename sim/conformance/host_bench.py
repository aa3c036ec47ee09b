# SPDX-License-Identifier: MIT
"""What a host's case works with: one channel, requests and answers, and what may be expected.

Plays the guest's part step by step; everything it does a lawful guest could do, but for what a case
sends on purpose. Knows no case and no way to the host.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from uuid import UUID

from protocol.codec import WireRecord
from protocol.ring import Packet
from protocol.status import STATUS_REVISION_MISMATCH, STATUS_SUCCESS, unsigned
from protocol.versions import Dialect
from protocol.vmbus import (
    VM_PKT_COMP,
    VM_PKT_DATA_INBAND,
    VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED,
)
from protocol.vpci import (
    MessageType,
    PciBusD0Entry,
    PciChildMessage,
    PciMessage,
    PciResponse,
    PciVersionRequest,
    message_name,
    message_type,
)
from sim.conformance.case import Nonconforming, NotOffered
from sim.conformance.host_port import Channel, HostUnderTest

WINDOW: Final = 0xF800_0000  # where the configuration window is put
CONFIG: Final = WINDOW + 0x1000
BAR: Final = 0x20_0000_0000  # where BARs are put
M = MessageType


class Answer(NamedTuple):
    """What came back for one request.

    ``completion`` is the payload with its ring padding, None where none came. ``packets`` are all
    that came, in order, the completion among them.
    """

    completion: bytes | None
    packets: tuple[Packet, ...]

    @property
    def status(self) -> int:
        """The NTSTATUS of the completion, unsigned. Raises Nonconforming without one."""
        if self.completion is None:
            raise Nonconforming("no completion came")
        if len(self.completion) < 4:
            raise Nonconforming(f"the completion has {len(self.completion)} bytes, no status")
        return PciResponse.parse(self.completion).status & 0xFFFF_FFFF

    @property
    def news(self) -> tuple[bytes, ...]:
        """The payloads of the unsolicited packets."""
        return tuple(p.payload for p in self.packets if p.packet_type == VM_PKT_DATA_INBAND)


class HostBench:
    """A host with one of its channels open. ``dialect`` is the version the case is about."""

    def __init__(self, host: HostUnderTest, dialect: Dialect) -> None:
        """Opens the first channel offered. Raises NotOffered if there is none."""
        self.host: Final = host
        self.dialect: Final = dialect
        self._next_id = 1
        offers = host.offers()
        if not offers:
            raise NotOffered("the host offers no channel")
        self.channel: Channel = next(iter(offers))
        self.instance_id: UUID = offers[self.channel]
        self.open()

    # Packets

    def open(self) -> None:
        """Open the channel. Raises Nonconforming if the host refuses."""
        expect("the status of opening the channel", self.host.open(self.channel), STATUS_SUCCESS)

    def close(self) -> None:
        """Close it; :meth:`open` opens it again."""
        self.host.close(self.channel)

    def send(
        self,
        message: WireRecord | bytes,
        *,
        completion: bool = True,
        transaction_id: int | None = None,
        packet_type: int = VM_PKT_DATA_INBAND,
    ) -> int:
        """Send one packet; its transaction id, by default a fresh one, 0 without a completion."""
        if transaction_id is None:
            transaction_id = self._next_id if completion else 0
            self._next_id += completion
        payload = message if isinstance(message, bytes) else message.build()
        flags = VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED if completion else 0
        self.host.send(self.channel, packet_type, flags, transaction_id, payload)
        return transaction_id

    def receive(self) -> tuple[Packet, ...]:
        """Let the host act and take what came."""
        return tuple(self.host.receive(self.channel))

    def ask(self, message: WireRecord | bytes, *, transaction_id: int | None = None) -> Answer:
        """Send a request with a completion and take what comes.

        Raises Nonconforming for two completions of it.
        """
        number = self.send(message, transaction_id=transaction_id)
        packets = self.receive()
        mine = [
            packet.payload
            for packet in packets
            if packet.packet_type == VM_PKT_COMP and packet.transaction_id == number
        ]
        if len(mine) > 1:
            raise Nonconforming(f"{len(mine)} completions of one request came")
        return Answer(mine[0] if mine else None, packets)

    def tell(self, message: WireRecord | bytes) -> Answer:
        """Send a packet that asks for no completion and take what comes."""
        self.send(message, completion=False)
        return Answer(None, self.receive())

    # Steps of a lawful guest; each raises Nonconforming where the host does not go along

    def negotiate(self, version: int | None = None) -> Answer:
        """Ask for a version, by default the case's."""
        return self.ask(
            PciVersionRequest(protocol_version=self.dialect.version if version is None else version)
        )

    def list_functions(self) -> tuple[bytes, ...]:
        """Query the relations; the lists that came, as payloads."""
        answer = self.tell(PciMessage(M.PCI_QUERY_BUS_RELATIONS))
        lists = relations_of(answer)
        if not lists:
            raise Nonconforming("no relations came for QUERY_BUS_RELATIONS")
        return lists

    def enter_d0(self, window: int = WINDOW) -> Answer:
        """D0 entry with the configuration window there."""
        return self.ask(PciBusD0Entry(mmio_base=window))

    def ready(self) -> None:
        """Up to the agreed version. Raises NotOffered where the host does not have it."""
        status = self.negotiate().status
        if status == unsigned(STATUS_REVISION_MISMATCH):
            raise NotOffered(f"the host does not have version {self.dialect.name}")
        expect("the status of the version query", status, STATUS_SUCCESS)

    def powered(self) -> None:
        """Up to D0, the relations known."""
        self.ready()
        self.list_functions()
        expect("the status of D0 entry", self.enter_d0().status, STATUS_SUCCESS)

    def assigned(self, *wslots: int) -> None:
        """Up to RESOURCES_ASSIGNED, by default of slot 0, as Linux sends it."""
        self.powered()
        for wslot in wslots or (0,):
            message = self.dialect.resources_assigned(self.dialect.assigned_message, wslot)
            what = f"the status of {self.dialect.assigned_message.name}"
            expect(what, self.ask(message).status, STATUS_SUCCESS)

    # Registers

    def read_config(self, offset: int, size: int = 4, wslot: int = 0) -> int:
        """Select the function and read its configuration space."""
        self.host.mmio_write(WINDOW, 4, wslot)
        return self.host.mmio_read(CONFIG + offset, size)

    def write_config(self, offset: int, value: int, size: int = 4, wslot: int = 0) -> None:
        """Select the function and write its configuration space."""
        self.host.mmio_write(WINDOW, 4, wslot)
        self.host.mmio_write(CONFIG + offset, size, value)

    # The administrator

    def order(self, what: str, **arguments: int | str | tuple[int, ...]) -> tuple[Packet, ...]:
        """Have the host do something, and take what it sends because of it."""
        self.host.order(what, self.channel, **arguments)
        return self.receive()

    @property
    def rescinded(self) -> bool:
        """Whether the offer was withdrawn."""
        return self.channel not in self.host.offers()


def relations_of(answer: Answer) -> tuple[bytes, ...]:
    """The relations lists among the unsolicited packets."""
    lists = (M.PCI_BUS_RELATIONS, M.PCI_BUS_RELATIONS2)
    return tuple(news for news in answer.news if message_type(news) in lists)


def expect(what: str, actual: object, expected: object) -> None:
    """Raise Nonconforming unless the two are equal; numbers are told in hexadecimal."""
    if actual != expected:
        raise Nonconforming(f"{what} is {_told(actual)}, not {_told(expected)}")


def expect_alive(host: HostBench) -> None:
    """Raise Nonconforming unless the host still answers a lawful request."""
    answer = host.ask(PciChildMessage(M.PCI_QUERY_RESOURCE_REQUIREMENTS, 0))
    expect("the status of a lawful request afterwards", answer.status, STATUS_SUCCESS)


def names_of(packets: tuple[Packet, ...]) -> tuple[str, ...]:
    """The packets as words: a message's name, or ``completion``."""
    return tuple(
        "completion" if p.packet_type == VM_PKT_COMP else message_name(p.payload) for p in packets
    )


def _told(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        return str(value)
    return f"{value:#x}"
