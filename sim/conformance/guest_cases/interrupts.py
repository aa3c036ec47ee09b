# SPDX-License-Identifier: MIT
"""Interrupts that a guest was given: how it uses them, and when it gives them back."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Final

from host.events import (
    EjectSent,
    InterruptCreated,
    InterruptDropped,
    InterruptRaised,
    ResourcesAssigned,
)
from protocol.link import PacketPublished
from protocol.vpci import MessageType, PciDeleteInterrupt
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.interrupt_requests import COMPOSE
from sim.conformance.guest_cases.reading import (
    CREATE,
    DELETE,
    Mapping,
    last_event,
    mapping_of,
    mappings_until,
    premise,
    since,
)
from sim.conformance.guest_cases.scenarios import ASSIGNED as SETTLED
from sim.conformance.guest_cases.scenarios import (
    LIFE,
    NIC,
    SETTLED_NS,
    actor,
    administrator,
    after,
    do,
)
from sim.conformance.seen import Seen

M = MessageType
FREE: Final = "pci-hyperv.c hv_int_desc_free()"
RAISED: Final = NIC + actor(
    "administrator",
    *(do("offer", "nic0"), SETTLED),
    *(do("interrupt", "nic0", vector=0), do("interrupt", "nic0", vector=1)),
    after(SETTLED_NS),
)
USED: Final = administrator(SETTLED, do("interrupt")) + actor(
    "user", SETTLED, do("submit", count=4), after(SETTLED_NS)
)


def nothing_dropped(seen: Seen) -> None:
    for seq, event in seen.events(InterruptDropped):
        what = f"{event.address:#x} with {event.data:#x}"
        raise Nonconforming(f"the device wrote {what}, which is no interrupt", seq)
    premise(seen.events(InterruptRaised), "an interrupt")


def deleted_once(seen: Seen) -> None:
    made = [(seq, (e.address & 0xFFFF_FFFF, e.data)) for seq, e in seen.events(InterruptCreated)]
    deleted: Counter[Mapping] = Counter()
    for delete in seen.sent(*DELETE):
        mapping = mapping_of(delete)
        births = sum(each == mapping for seq, each in made if seq < delete.seq)
        deleted[mapping] += 1
        if mapping[0] and deleted[mapping] > births:
            raise Nonconforming(f"{mapping[0]:#x} is deleted, and does not exist", delete.seq)


def deleted_before_giving_up(seen: Seen) -> None:
    asked = seen.events(EjectSent)
    done = seen.sent(M.PCI_EJECTION_COMPLETE)
    premise(asked and done, "an eject that it completes")
    gone = {mapping_of(d) for d in since(seen.sent(*DELETE), asked[0][0]) if d.seq < done[0].seq}
    left = mappings_until(seen, asked[0][0]) - gone
    if left:
        raise Nonconforming(f"{len(left)} interrupts were left behind", done[0].seq)


def delete_form(seen: Seen) -> None:
    for packet in seen.sent(*DELETE):
        first_form = packet.name == M.PCI_DELETE_INTERRUPT_MESSAGE.name
        size = len(packet.payload)
        if not first_form or packet.flags or size != PciDeleteInterrupt.SIZE:
            told_of = f"{packet.name}, {size} bytes, flags {packet.flags}"
            raise Nonconforming(f"it deletes with {told_of}", packet.seq)


def made_again_at_once(seen: Seen) -> None:
    """Of the deletions while it comes up, each is followed by the creation that replaces it."""
    ejected = [seq for seq, _ in seen.events(EjectSent)]
    packets = [packet for packet in seen.sent() if not ejected or packet.seq < ejected[0]]
    creations = {message.name for message in CREATE}
    deletions = {message.name for message in DELETE}
    for packet, following in pairwise(packets):
        if packet.name in deletions and following.name not in creations:
            raise Nonconforming(f"{following.name} follows the deletion", following.seq)


def no_packet_passes(seen: Seen) -> None:
    """From when the guest has settled."""
    assigned = last_event(seen, ResourcesAssigned, "resources assigned")
    calm_ns = seen.trace[assigned].at_ns + SETTLED_NS
    since_then = [stamped for stamped in seen.trace if stamped.at_ns >= calm_ns]
    premise(any(isinstance(s.event, InterruptRaised) for s in since_then), "an interrupt in use")
    for stamped in since_then:
        if isinstance(stamped.event, PacketPublished):
            raise Nonconforming(f"a packet goes {stamped.event.direction}", stamped.seq)


CASES: Final = (
    GuestCase(
        id="message-used-as-given",
        strength="must",
        given="A guest that was given messages for its interrupts",
        when="the device raises them",
        then="it writes the address and the data that the host gave",
        source=f"{COMPOSE}; the host knows interrupts by nothing else",
        scenario=RAISED,
        check=nothing_dropped,
    ),
    GuestCase(
        id="interrupt-deleted-once",
        strength="must",
        given="A guest that has had interrupts created",
        when="it gives one back",
        then="it deletes it once",
        source=f"{FREE}; OpenVMM answers BAD_DATA to the second",
        scenario=LIFE,
        check=deleted_once,
    ),
    GuestCase(
        id="interrupts-deleted-at-eject",
        strength="must",
        given="A guest at work, with interrupts",
        when="it completes an eject",
        then="it has deleted every interrupt of the function",
        source="pci-hyperv.c hv_eject_device_work(), hv_msi_free()",
        scenario=LIFE,
        check=deleted_before_giving_up,
    ),
    GuestCase(
        id="delete-is-the-first-form",
        strength="linux",
        given="A guest at any version",
        when="it deletes an interrupt",
        then="it uses the first form, and asks for no completion",
        source=FREE,
        scenario=LIFE,
        check=delete_form,
    ),
    GuestCase(
        id="interrupt-made-again-at-once",
        strength="linux",
        given="A guest that comes up and has had an interrupt created",
        when="it needs the interrupt for another vector",
        then="it deletes the old one and has the new one created right after that",
        source=COMPOSE,
        scenario=LIFE,
        check=made_again_at_once,
    ),
    GuestCase(
        id="interrupts-take-no-packet",
        strength="linux",
        given="A guest at work",
        when="its device is used and raises interrupts",
        then="no packet passes, in either direction",
        source="Documentation/PCI vpci.rst: the channel is no part of the data path",
        scenario=USED,
        check=no_packet_passes,
    ),
)
