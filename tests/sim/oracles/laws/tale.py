# SPDX-License-Identifier: MIT
"""Traces made by hand: a line of events with times and contexts, shown to one law."""

from __future__ import annotations

from typing import Any

from protocol.ids import RelId, SlotNumber, TransactionId
from protocol.link import Direction, PacketPublished
from protocol.vmbus import VM_PKT_DATA_INBAND, VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED
from protocol.vpci import MessageType, PciChildMessage
from sim.oracles.judge import Judgement, judge
from sim.oracles.law import LawFactory
from sim.violation import Violation

SECOND_NS = 10**9
RELID = RelId(1)
SLOT = SlotNumber(0)
OTHER_SLOT = SlotNumber(1)
BUS = "nvme0"


class At:
    """From here on in the tale: time in nanoseconds, and who is running."""

    def __init__(self, at_ns: int = 0, context: str | None = None) -> None:
        self.at_ns = at_ns
        self.context = context


def told(
    law: LawFactory, *tale: Any, whole: bool = True, may_show: tuple[str, ...] = ()
) -> Judgement:
    """Show the law these events; an :class:`At` among them says when and by whom what follows."""
    at = At()
    happened = []
    for event in tale:
        if isinstance(event, At):
            at = event
        else:
            happened.append((at.at_ns, at.context, event))
    return judge(happened, at.at_ns if whole else None, laws=(law,), may_show=may_show)


def broken(law: LawFactory, *tale: Any, whole: bool = True) -> Violation:
    """The violation that the tale ends in."""
    violation = told(law, *tale, whole=whole).violation
    assert violation is not None, f"{law().name!r} does not fire"
    return violation


def holds(law: LawFactory, *tale: Any) -> bool:
    """Whether the law has nothing to say of the tale."""
    return told(law, *tale) == Judgement(None, ())


def message(
    message_type: MessageType,
    wslot: int = SLOT,
    *,
    payload: bytes | None = None,
    direction: Direction = "guest-to-host",
    relid: int = RELID,
) -> PacketPublished:
    """A packet without a completion; by default a message type and a slot."""
    payload = (
        PciChildMessage(message_type, SlotNumber(wslot)).build() if payload is None else payload
    )
    return PacketPublished(
        direction, RelId(relid), VM_PKT_DATA_INBAND, TransactionId(0), 0, payload
    )


def from_host(message_type: MessageType, wslot: int = SLOT) -> PacketPublished:
    """The same, sent by the host."""
    return message(message_type, wslot, direction="host-to-guest")


def request(transaction_id: int, *, relid: int = RELID) -> PacketPublished:
    """A packet of the guest that asks for a completion."""
    flag = VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED
    payload = PciChildMessage(MessageType.PCI_QUERY_RESOURCE_REQUIREMENTS, SLOT).build()
    number = TransactionId(transaction_id)
    return PacketPublished("guest-to-host", RelId(relid), VM_PKT_DATA_INBAND, number, flag, payload)
