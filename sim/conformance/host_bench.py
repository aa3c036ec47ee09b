# SPDX-License-Identifier: MIT
"""What a host's case works with: one channel, requests and answers.

Plays the guest's part step by step; everything it does a lawful guest could do, but for what a case
sends on purpose. What a host does wrong on the way to where a case begins is the business of the
case about that step: the others do not get so far, and say so. Knows no case and no way to the
host.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from protocol.codec import WireRecord
from protocol.ring import Ring
from protocol.status import STATUS_SUCCESS
from protocol.versions import Dialect
from protocol.vmbus import VM_PKT_DATA_INBAND, VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED
from protocol.vpci import MessageType, PciBusD0Entry, PciChildMessage, PciMessage, PciVersionRequest
from sim.conformance.answers import (
    REVISION_MISMATCH,
    Answer,
    Description,
    completions_of,
    functions_in,
    relations_of,
)
from sim.conformance.case import Nonconforming, NotOffered
from sim.conformance.expecting import expect, expect_count, reaching
from sim.conformance.host_port import Channel
from sim.conformance.watched import Received, Watched

WINDOW: Final = 0xF800_0000  # where the configuration window is put
OTHER_WINDOW: Final = 0xF900_0000
CONFIG_PAGE: Final = 0x1000  # the window's second page
ONES: Final = 0xFFFF_FFFF  # what a read gives that nobody answers
LONGEST: Final = 1_000_000_000  # ns; longer than any host takes over a few packets
M = MessageType


class HostBench:
    """A host, and once an offer was taken one of its channels.

    ``dialect`` is the version that is spoken on it; ``open_status`` that of the last opening.
    """

    def __init__(self, host: Watched, dialect: Dialect) -> None:
        self.host: Final = host
        self.dialect = dialect
        self._next_id = 1
        self.open_status = STATUS_SUCCESS

    def take_offer(self) -> None:
        """Open the oldest channel that is offered now. Raises NotOffered if there is none."""
        self._take_offer(0)

    def take_second_offer(self) -> None:
        """Leave the channel as it is, and open the next one. Raises NotOffered without one."""
        self._take_offer(1)

    def _take_offer(self, nth: int) -> None:
        offers = self.host.offers()
        if len(offers) <= nth:
            raise NotOffered(f"the host offers {len(offers) or 'no'} channel")
        self.channel: Channel = list(offers)[nth]
        self.instance_id: UUID = offers[self.channel]
        self.open()

    # Packets

    def open(self) -> int:
        """Open the channel; the status of that. Nothing is sent on one that is not open."""
        self.open_status = self.host.open(self.channel)
        return self.open_status

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
        """Send one packet; its transaction id, by default a fresh one, 0 without a completion.

        Raises NotOffered if the channel did not open.
        """
        if self.open_status != STATUS_SUCCESS:
            raise NotOffered(f"the channel does not open: {self.open_status:#x}")
        if transaction_id is None:
            transaction_id = self._next_id if completion else 0
            self._next_id += completion
        payload = message if isinstance(message, bytes) else message.build()
        flags = VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED if completion else 0
        self.host.send(self.channel, packet_type, flags, transaction_id, payload)
        return transaction_id

    def receive(self) -> tuple[Received, ...]:
        """Let the host act and take what came."""
        return self.host.received(self.channel)

    def let_act(self) -> None:
        """Let the host act, and leave what it sends in the ring."""
        self.host.pass_time(LONGEST)

    def ask(self, message: WireRecord | bytes, *, transaction_id: int | None = None) -> Answer:
        """Send a request with a completion and take what comes."""
        number = self.send(message, transaction_id=transaction_id)
        packets = self.receive()
        mine = completions_of(packets, number)
        if not mine:
            return Answer(None, packets, self.host.asked)
        self.host.place = mine[0].at
        return Answer(mine[0].payload, packets, self.host.asked)

    def tell(self, message: WireRecord | bytes) -> Answer:
        """Send a packet that asks for no completion and take what comes."""
        self.send(message, completion=False)
        return Answer(None, self.receive(), self.host.asked)

    @property
    def to_host(self) -> Ring:
        """The ring to the host."""
        return self.host.rings(self.channel)[0]

    @property
    def to_guest(self) -> Ring:
        """The ring from it."""
        return self.host.rings(self.channel)[1]

    @property
    def signals(self) -> int:
        """How often the host has signalled the channel."""
        return self.host.signals(self.channel)

    # Requests

    def negotiate(self, version: int | None = None) -> Answer:
        """Ask for a version, by default the case's."""
        return self.ask(
            PciVersionRequest(protocol_version=self.dialect.version if version is None else version)
        )

    def list_functions(self) -> bytes:
        """Query the relations; the last list that came. Raises Nonconforming if none did."""
        answer = self.tell(PciMessage(M.PCI_QUERY_BUS_RELATIONS))
        lists = relations_of(answer.packets)
        if not lists:
            raise Nonconforming("no relations came for QUERY_BUS_RELATIONS", answer.asked)
        self.host.place = lists[-1].at
        return lists[-1].payload

    def enter_d0(self, window: int = WINDOW) -> Answer:
        """D0 entry with the configuration window there."""
        return self.ask(PciBusD0Entry(mmio_base=window))

    def leave_d0(self) -> Answer:
        """D0 exit."""
        return self.ask(PciMessage(M.PCI_BUS_D0EXIT))

    def ask_child(self, message: MessageType, wslot: int = 0) -> Answer:
        """A request that is a type and a slot."""
        return self.ask(PciChildMessage(message, wslot))

    def assign(self, wslot: int = 0) -> Answer:
        """RESOURCES_ASSIGNED of the agreed version, all zeros, as Linux sends it."""
        return self.ask(self.dialect.resources_assigned(self.dialect.assigned_message, wslot))

    # The way to where a case begins; each raises NotOffered where the host does not get so far

    def opened(self) -> None:
        """Up to an open channel, the first that is offered."""
        self.take_offer()
        with reaching("an open channel"):
            expect("the status of opening it", self.open_status, STATUS_SUCCESS)

    def ready(self) -> None:
        """Up to the agreed version."""
        with reaching("an agreed version"):
            self.agree(self.negotiate())

    def agree(self, answer: Answer) -> None:
        """Raise Nonconforming unless the version was agreed, NotOffered if the host lacks it."""
        if answer.status == REVISION_MISMATCH:
            raise NotOffered(f"the host does not have version {self.dialect.name}")
        expect("the status of the version query", answer.status, STATUS_SUCCESS)

    def functions(self) -> tuple[Description, ...]:
        """What the host lists now."""
        with reaching("a list of functions"):
            return functions_in(self.list_functions())

    def listed(self) -> None:
        """Up to the relations known."""
        self.ready()
        self.functions()

    def powered(self, window: int = WINDOW) -> None:
        """Up to D0."""
        self.listed()
        self.entered(window)

    def entered(self, window: int = WINDOW) -> None:
        """From outside of D0 into it."""
        with reaching("D0"):
            expect("the status of D0 entry", self.enter_d0(window).status, STATUS_SUCCESS)

    def left(self) -> None:
        """From D0 out of it."""
        with reaching("the end of D0"):
            expect("the status of D0 exit", self.leave_d0().status, STATUS_SUCCESS)

    def assigned(self, *wslots: int) -> None:
        """Up to RESOURCES_ASSIGNED, by default of slot 0."""
        self.powered()
        for wslot in wslots or (0,):
            with reaching("assigned resources"):
                what = f"the status of {self.dialect.assigned_message.name}"
                expect(what, self.assign(wslot).status, STATUS_SUCCESS)

    # Registers

    def read_config(
        self, offset: int, size: int = 4, wslot: int = 0, *, window: int = WINDOW
    ) -> int:
        """Select the function and read its configuration space."""
        self.host.mmio_write(window, 4, wslot)
        return self.host.mmio_read(window + CONFIG_PAGE + offset, size)

    def write_config(self, offset: int, value: int, size: int = 4, wslot: int = 0) -> None:
        """Select the function and write its configuration space."""
        self.host.mmio_write(WINDOW, 4, wslot)
        self.host.mmio_write(WINDOW + CONFIG_PAGE + offset, size, value)

    # The administrator

    def order(self, what: str, **arguments: int | str | tuple[int, ...]) -> tuple[Received, ...]:
        """Have the host do something, and take what it sends because of it."""
        self.host.order(what, self.channel, **arguments)
        return self.receive()

    def offered_again(self) -> None:
        """Have the bus of a closed channel offered once more, and open its channel."""
        self.host.release(self.channel)
        self.host.order("reoffer", self.channel)
        self.take_offer()

    @property
    def rescinded(self) -> bool:
        """Whether the offer was withdrawn."""
        return self.channel not in self.host.offers()


def expect_alive(host: HostBench) -> None:
    """Raise Nonconforming unless the host still answers a lawful request."""
    answer = host.ask_child(M.PCI_QUERY_RESOURCE_REQUIREMENTS)
    if answer.completion is None:
        raise Nonconforming("a lawful request afterwards is not answered", answer.asked)


def expect_deaf(host: HostBench) -> None:
    """Raise Nonconforming if the host hears what is sent from here on."""
    host.receive()
    after = host.tell(PciMessage(M.PCI_QUERY_BUS_RELATIONS))
    expect_count("lists that came afterwards", relations_of(after.packets), 0)
