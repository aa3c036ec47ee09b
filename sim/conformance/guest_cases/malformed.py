# SPDX-License-Identifier: MIT
"""A host that sends what makes no sense: a guest drops it and works on.

Whether it works on is seen by an eject afterwards, which it still answers.
"""

from __future__ import annotations

from typing import Final

from host.devices import PROFILES
from host.function import layout_of
from protocol.link import PacketPublished
from protocol.status import STATUS_SUCCESS
from protocol.vpci import (
    MessageType,
    PciBusRelations,
    PciBusRelations2,
    PciDevIncoming,
    PciDevInvalBlock,
    PciFunctionDescription2,
    PciQResReqResponse,
)
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.reading import ASSIGNED as ASSIGNED_FORMS
from sim.conformance.guest_cases.reading import premise, since, wslot_of
from sim.conformance.guest_cases.scenarios import (
    ASSIGNED,
    LONG_NS,
    PATIENT,
    SETTLED_NS,
    administrator,
    after,
    do,
    forge,
    wait,
)
from sim.conformance.seen import Seen

M = MessageType
UNKNOWN_TYPE: Final = (0x4249_00FF).to_bytes(4, "little")
NOBODYS_ID: Final = 40
NOBODYS_SLOT: Final = 7
COUNT: Final = 1_000  # of functions, in a list that holds one
CALLBACK: Final = "pci-hyperv.c hv_pci_onchannelcallback()"


def head(message: MessageType) -> bytes:
    """A message that ends behind its type."""
    return int(message).to_bytes(4, "little")


def _whole() -> bytes:
    one = PciFunctionDescription2(v_id=0x1414, d_id=1, win_slot=NOBODYS_SLOT, ser=9)
    return PciBusRelations2(device_count=1, func=(one,)).build()


def _overlong() -> bytes:
    payload = _whole()
    return payload[:4] + COUNT.to_bytes(4, "little") + payload[8:]


def completion(request: int) -> str:
    """The host completes that request with success."""
    return do("forge-completion", request=request, data="0000000000000000")


def _answered_twice() -> str:
    """The host answers the guest's question about the function's BARs late, and again."""
    query, profile = M.PCI_QUERY_RESOURCE_REQUIREMENTS.name, PROFILES["nvme-ssd"]
    answer = PciQResReqResponse(STATUS_SUCCESS, layout_of(profile).probed).build()
    tell = do("answer-late", message=query, data=answer.hex())
    return PATIENT + administrator(
        *(do("ignore-next", message=query), after(SETTLED_NS), tell),
        *(ASSIGNED, tell, after(SETTLED_NS), do("eject"), after(LONG_NS)),
    )


def works_on(seen: Seen) -> None:
    if not seen.sent(M.PCI_EJECTION_COMPLETE):
        asked = seen.told(M.PCI_EJECT)
        raise Nonconforming("it answers no eject any more", asked[-1].seq if asked else None)


def not_half_taken(seen: Seen) -> None:
    for packet in seen.sent(M.PCI_QUERY_RESOURCE_REQUIREMENTS):
        if wslot_of(packet) == NOBODYS_SLOT:
            raise Nonconforming("functions of a list were taken that is not whole", packet.seq)


def waits_on(seen: Seen) -> None:
    packets = seen.events(PacketPublished)
    forged = [seq for seq, packet in packets if packet.transaction_id == NOBODYS_ID]
    premise(forged, "the completion of what nobody asked for")
    entered = [packet.seq for packet in seen.sent(M.PCI_BUS_D0ENTRY)]
    premise(entered and entered[0] < forged[0], "waiting for D0 entry by then")
    for packet in since(seen.sent(*ASSIGNED_FORMS), forged[0]):
        raise Nonconforming(f"{packet.name} was sent, though D0 entry has no answer", packet.seq)


def waits_for_a_whole_list(seen: Seen) -> None:
    """Two lists come: one that is too short and, unless the guest has left, one that is whole."""
    query = seen.sent(M.PCI_QUERY_BUS_RELATIONS)
    lists = seen.told(M.PCI_BUS_RELATIONS, M.PCI_BUS_RELATIONS2)
    premise(query and lists and query[0].seq < lists[0].seq, "asking for the list")
    short, *later = lists
    whole = later[0].seq if later else len(seen.trace)
    for packet in since(seen.sent(), short.seq):
        if packet.seq < whole:
            raise Nonconforming(f"{packet.name} was sent, though no list was whole", packet.seq)
    if not since(seen.sent(M.PCI_BUS_D0ENTRY), whole):
        raise Nonconforming("it did not come up with the list that was whole")


def survives(
    id_: str, when: str, *steps: str, then: str = "it drops that", source: str = CALLBACK
) -> GuestCase:
    """The case of a guest that is sent something in the middle of its work."""
    return GuestCase(
        id=id_,
        strength="must",
        given="A guest at work",
        when=when,
        then=f"{then} and still answers an eject",
        source=source,
        scenario=PATIENT
        + administrator(ASSIGNED, *steps, after(SETTLED_NS), do("eject"), after(LONG_NS)),
        check=works_on,
    )


CASES: Final = (
    survives("unknown-message-dropped", "a message of unknown type comes", forge(UNKNOWN_TYPE * 4)),
    survives(
        "query-stop-dropped",
        "QUERY_STOP comes, which few guests know",
        forge(head(M.PCI_QUERY_STOP) + bytes(12)),
    ),
    survives(
        "short-message-dropped",
        "a message comes that ends behind its type",
        forge(head(M.PCI_INVALIDATE_BLOCK)),
    ),
    survives(
        "overlong-list-dropped",
        "a list comes that is not as long as its count says",
        forge(_overlong()),
    ),
    survives(
        "overlong-first-list-dropped",
        "a list of the first form comes with too high a count",
        forge(PciBusRelations(device_count=0).build()[:4] + COUNT.to_bytes(4, "little")),
    ),
    survives(
        "stale-block-of-nobody",
        "a block is said to be stale of a function that is not there",
        forge(PciDevInvalBlock(wslot=NOBODYS_SLOT, block_mask=1).build()),
    ),
    survives(
        "eject-of-nobody-dropped",
        "a function is asked for that is not there",
        forge(PciDevIncoming(wslot=NOBODYS_SLOT).build()),
        source=f"{CALLBACK}; OpenVMM's client does not survive it",
    ),
    survives(
        "completion-of-nobody",
        "a request is completed that was never made",
        completion(NOBODYS_ID),
        source="channel.c vmbus_request_addr_match()",
    ),
    survives(
        "completion-of-zero",
        "the id 0 is completed, which no request has",
        completion(0),
        source="channel.c vmbus_request_addr_match()",
    ),
    GuestCase(
        id="completion-repeated",
        strength="must",
        given="A guest at work",
        when="a request is completed again",
        then="it drops that and still answers an eject",
        source="channel.c vmbus_request_addr_match()",
        scenario=_answered_twice(),
        check=works_on,
    ),
    survives(
        "completion-beyond-the-table",
        "an id is completed beyond any table",
        completion(2**40),
        source="channel.c vmbus_request_addr_match()",
    ),
    GuestCase(
        id="completion-finds-its-request",
        strength="must",
        given="A guest that waits for the answer to D0 entry",
        when="another id is completed",
        then="it goes on waiting",
        source="channel.c vmbus_request_addr_match()",
        scenario=administrator(
            *[do("ignore-next", message="PCI_BUS_D0ENTRY")] * 2,
            after(SETTLED_NS),
            completion(NOBODYS_ID),
            after(SETTLED_NS),
        ),
        check=waits_on,
    ),
    GuestCase(
        id="overlong-list-not-half-taken",
        strength="linux",
        given="A guest at work",
        when="a list comes that is not as long as its count says",
        then="no function of it is taken",
        source=CALLBACK,
        scenario=administrator(ASSIGNED, forge(_overlong()), after(SETTLED_NS)),
        check=not_half_taken,
    ),
    GuestCase(
        id="short-first-list-answers-nothing",
        strength="linux",
        given="A guest that has asked for the list",
        when="the first that comes is not as long as its count says, and a whole one much later",
        then="it drops the first, waits on, and enters D0 with the second",
        source=f"{CALLBACK}; hv_pci_query_relations() waits for ever",
        scenario=administrator(
            do("ignore-next", message="PCI_QUERY_BUS_RELATIONS"),
            wait("version-agreed"),
            forge(_overlong()),
            after(SETTLED_NS),
            forge(_whole()),
            after(SETTLED_NS),
        ),
        check=waits_for_a_whole_list,
    ),
)
