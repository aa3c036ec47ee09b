# SPDX-License-Identifier: MIT
"""The host's list of functions: how a guest asks for it, and what it reads there."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from host.events import BusRelationsSent, ResourcesAssigned
from protocol.vpci import (
    MessageType,
    PciBusRelations,
    PciBusRelations2,
    PciFunctionDescription,
    PciFunctionDescription2,
)
from sim.conformance.case import ALL, GuestCase, Nonconforming
from sim.conformance.guest_cases.negotiation import NEEDS
from sim.conformance.guest_cases.reading import ASSIGNED, OF_A_SLOT, first, wslot_of
from sim.conformance.guest_cases.scenarios import (
    ARRIVAL,
    SETTLED_NS,
    TWO,
    TWO_ARRIVE,
    administrator,
    after,
    forge,
    knobs,
)
from sim.conformance.guest_cases.scenarios import ASSIGNED as SETTLED
from sim.conformance.seen import Seen, SeenPacket

M = MessageType
V1_SLOT, V2_SLOT = 9, 10  # of functions that nobody has but two forged lists
WORK: Final = "pci-hyperv.c pci_devices_present_work()"
CALLBACK: Final = "pci-hyperv.c hv_pci_onchannelcallback()"


def only_listed(seen: Seen) -> None:
    lists = seen.events(BusRelationsSent)
    for packet in seen.sent(*OF_A_SLOT):
        known = [event.wslots for seq, event in lists if seq < packet.seq]
        if not any(wslot_of(packet) in wslots for wslots in known):
            raise Nonconforming(f"{packet.name} names slot {wslot_of(packet):#x}", packet.seq)


def all_assigned(seen: Seen) -> None:
    lists = seen.events(BusRelationsSent)
    if not lists:
        raise Nonconforming("the guest never got as far as asking for the list")
    assigned = {event.wslot for _, event in seen.events(ResourcesAssigned)}
    missing = [wslot for wslot in lists[0][1].wslots if wslot not in assigned]
    if missing:
        raise Nonconforming(f"of the functions listed slots {missing} got no resources")


def asked_for_once(seen: Seen) -> None:
    query = seen.only(M.PCI_QUERY_BUS_RELATIONS)
    found = (len(query.payload), query.flags)
    if found != (4, 0):
        raise Nonconforming(f"it has {found[0]} bytes and flags {found[1]}", query.seq)


def surveys_of(seen: Seen, wslot: int) -> list[SeenPacket]:
    """The queries for the resources of a slot."""
    asked = seen.sent(M.PCI_QUERY_RESOURCE_REQUIREMENTS)
    return [packet for packet in asked if wslot_of(packet) == wslot]


def surveyed(seen: Seen, *wslots: int) -> None:
    """Each of these was asked about after the first list."""
    for wslot in wslots:
        first(surveys_of(seen, wslot), f"resource query for slot {wslot}")


def ascending(seen: Seen) -> None:
    assigned = seen.sent(*ASSIGNED)
    slots = [wslot_of(packet) for packet in assigned]
    for before, packet in pairwise(assigned):
        if wslot_of(packet) < wslot_of(before):
            told_of = f"resources were assigned to slots in this order: {slots}"
            raise Nonconforming(told_of, packet.seq)


def strangers_list() -> bytes:
    """A list of the second form, with one function that the bus does not have."""
    one = PciFunctionDescription2(v_id=0x1414, d_id=1, win_slot=V2_SLOT, ser=10)
    return PciBusRelations2(device_count=1, func=(one,)).build()


def _forged_lists() -> tuple[str, ...]:
    """A list of each form, with one function that only it has, and time to take it."""
    one = PciFunctionDescription(v_id=0x1414, d_id=1, win_slot=V1_SLOT, ser=9)
    return (
        forge(PciBusRelations(device_count=1, func=(one,)).build()),
        after(SETTLED_NS),
        forge(strangers_list()),
        after(SETTLED_NS),
    )


def _forms(accepted: str) -> GuestCase:
    """Lists of either form, opposite a host of that version, whatever the guest goes up to."""
    refused = list(ALL[ALL.index(accepted) + 1 :])
    return GuestCase(
        id=f"either-list-form-of-host-up-to-{accepted}",
        strength="linux",
        given=f"A guest at work opposite a host that accepts all versions up to {accepted}",
        when="a list of the first and one of the second form arrive, each with a new function",
        then="it asks for the resources of both",
        source=f"{CALLBACK}: no version is looked at",
        scenario=knobs(refused_versions=refused)
        + administrator(SETTLED, *_forged_lists())
        + NEEDS.get(accepted, ""),
        check=lambda seen: surveyed(seen, V1_SLOT, V2_SLOT),
        offers="up-to",
    )


CASES: Final = (
    GuestCase(
        id="only-listed-slots",
        strength="must",
        given="A bus with one function",
        when="the guest sends messages about functions",
        then="each names a function that a list has had",
        source="OpenVMM VSP: any other slot is BAD_DATA",
        scenario=ARRIVAL,
        check=only_listed,
    ),
    GuestCase(
        id="trailing-bytes-ignored",
        strength="must",
        given="A host whose lists are longer than their functions need",
        when="the guest reads one",
        then="it takes the functions that the count says",
        source=f"{CALLBACK} asks for no less than the count needs; the ring pads every packet",
        scenario=knobs(list_trailing_bytes=24) + administrator(after(SETTLED_NS)),
        check=all_assigned,
    ),
    GuestCase(
        id="whole-list-taken",
        strength="must",
        given="A bus with two functions",
        when="their list arrives",
        then="the guest takes each entry as it stands there, and gives both their resources",
        source="struct pci_bus_relations, packed; FreeBSD reads it with another stride",
        scenario=TWO + administrator(after(SETTLED_NS)),
        check=all_assigned,
    ),
    GuestCase(
        id="relations-asked-for-once",
        strength="linux",
        given="A guest that has agreed on a version",
        when="it wants to know the functions",
        then="it asks once, in 4 bytes and without a completion; OpenVMM's client never asks",
        source="pci-hyperv.c hv_pci_query_relations()",
        scenario=ARRIVAL,
        check=asked_for_once,
    ),
    GuestCase(
        id="either-list-form-taken",
        strength="linux",
        given="A guest at work at any version",
        when="a list of the first and one of the second form arrive, each with a new function",
        then="it asks for the resources of both",
        source=f"{CALLBACK}: no version is looked at",
        scenario=administrator(SETTLED, *_forged_lists()),
        check=lambda seen: surveyed(seen, V1_SLOT, V2_SLOT),
    ),
    *map(_forms, ALL),
    GuestCase(
        id="slots-ascending",
        strength="linux",
        given="A bus with two functions",
        when="the guest assigns their resources",
        then="it begins with the lower slot",
        source="pci-hyperv.c hv_send_resources_allocated()",
        scenario=TWO_ARRIVE,
        check=ascending,
    ),
)
