# SPDX-License-Identifier: MIT
"""How much of an answer a guest wants before it takes an interrupt out of it."""

from __future__ import annotations

from typing import Final

from protocol.vpci import PciCreateIntResponse, TranIntDesc
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.reading import CREATE, premise
from sim.conformance.guest_cases.refused_interrupts import table_writes
from sim.conformance.guest_cases.scenarios import SETTLED_NS, administrator, after, do
from sim.conformance.seen import Seen

TAKEN: Final = "pci-hyperv.c hv_pci_compose_compl(), sizeof(*int_resp)"
DATA: Final = 0x31
GRANTED: Final = PciCreateIntResponse(int_desc=TranIntDesc(vector_count=1, data=DATA)).build()
WITHOUT_ADDRESS_BYTES: Final = 16  # 32 in the ring, as ever 8 at a time
ONE_MORE_BYTES: Final = 17  # 40 in the ring, of which 7 are padding


def answered_with(size: int) -> str:
    """The host grants the first interrupt by so many bytes of an answer."""
    answer = GRANTED[:size].hex()
    steps = (do("answer-next", message=message.name, data=answer) for message in CREATE)
    return administrator(*steps, after(SETTLED_NS))


def first_message(seen: Seen) -> list[tuple[int, int]]:
    """What was written into the device's table between the first answer and the next request."""
    requests = seen.sent(*CREATE)
    premise(requests, "creating an interrupt")
    answer = seen.answer_to(requests[0])
    premise(answer is not None, "the answer to it")
    begin = len(seen.trace) if answer is None else answer.seq
    end = requests[1].seq if len(requests) > 1 else len(seen.trace)
    written = [write for write in table_writes(seen) if begin < write[0] < end]
    if not written:
        raise Nonconforming("no message was written after the answer", begin)
    return written


def not_taken(seen: Seen) -> None:
    for seq, value in first_message(seen):
        if value:
            raise Nonconforming(f"{value:#x} was written out of half an answer", seq)


def taken(seen: Seen) -> None:
    written = first_message(seen)
    if not any(value == DATA for _, value in written):
        raise Nonconforming("the message is not that of the answer", written[0][0])


CASES: Final = (
    GuestCase(
        id="interrupt-answer-without-address",
        strength="linux",
        given="A host that answers the creation of an interrupt with 16 bytes: all but the address",
        when="the guest hears of it",
        then="it takes that for a failure and writes zeros into the device's table",
        source=TAKEN,
        scenario=answered_with(WITHOUT_ADDRESS_BYTES),
        check=not_taken,
    ),
    GuestCase(
        id="interrupt-answer-padded-out",
        strength="linux",
        given="A host that answers the creation of an interrupt with 17 bytes: the ring makes 24",
        when="the guest hears of it",
        then="it takes the padding for the rest of the address, and the interrupt for granted",
        source=f"{TAKEN}; hv_pkt_datalen()",
        scenario=answered_with(ONE_MORE_BYTES),
        check=taken,
    ),
)
