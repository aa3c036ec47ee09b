# SPDX-License-Identifier: MIT
"""Entering D0: when a guest does so, and what it says on the way there."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from host.events import D0Entered
from protocol.hypercall import HV_HYP_PAGE_SIZE
from protocol.link import UnclaimedAccess
from protocol.vpci import MessageType, PciBusD0Entry
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.reading import (
    ASSIGNED,
    first,
    premise,
    reopened,
    since,
    succeeded,
    waits_for_ever,
)
from sim.conformance.guest_cases.scenarios import ARRIVAL, LIFE, answered_late
from sim.conformance.seen import Seen, SeenPacket, expect_all, expect_names, parsed

M = MessageType
NEVER: Final = (
    M.PCI_POWER_STATE_CHANGE,
    M.PCI_QUERY_RESOURCE_RESOURCES,
    M.PCI_RESOURCES_ASSIGNED3,
    M.PCI_DELETE_INTERRUPT_MESSAGE2,
    M.RESET_DEVICE,
)
ENTER: Final = "pci-hyperv.c hv_pci_enter_d0()"


def entries(seen: Seen) -> list[SeenPacket]:
    return seen.sent(M.PCI_BUS_D0ENTRY)


def in_d0(seen: Seen) -> int:
    """The place where D0 entry had succeeded for the first time."""
    places = [place for entry in entries(seen) if (place := succeeded(seen, entry))]
    premise(places, "D0")
    return places[0]


def in_order(seen: Seen) -> None:
    sent = seen.sent()
    due = [
        M.PCI_QUERY_PROTOCOL_VERSION,
        M.PCI_QUERY_BUS_RELATIONS,
        M.PCI_QUERY_RESOURCE_REQUIREMENTS,
        M.PCI_BUS_D0ENTRY,
        seen.dialect.assigned_message,
        seen.dialect.create_message,
    ]
    for packet in reversed(seen.sent(M.PCI_QUERY_PROTOCOL_VERSION)[:-1]):
        sent.remove(packet)  # versions that were refused
    expect_names(sent, [message.name for message in due], "it came up with")


def sixteen_bytes(seen: Seen) -> None:
    for entry in entries(seen):
        if (len(entry.payload), entry.flags) != (PciBusD0Entry.SIZE, 1):
            raise Nonconforming(f"it has {len(entry.payload)} bytes", entry.seq)


def never_sent(seen: Seen) -> None:
    seen.none(*NEVER)


def entered_once(seen: Seen) -> None:
    again = since(entries(seen), in_d0(seen))
    if again:
        raise Nonconforming("D0 entry was sent in D0", again[0].seq)


def window_aligned(seen: Seen) -> None:
    for entry in entries(seen):
        base = parsed(PciBusD0Entry.parse, entry.payload, entry.seq).mmio_base
        if not base or base % HV_HYP_PAGE_SIZE:
            raise Nonconforming(f"the configuration window is at {base:#x}", entry.seq)


def resources_in_d0(seen: Seen) -> None:
    powered = in_d0(seen)
    expect_all(seen.sent(*ASSIGNED), lambda p: p.seq > powered, "was sent before D0")


def window_in_d0(seen: Seen) -> None:
    entered = seen.events(D0Entered)
    premise(entered, "D0")
    for seq, access in seen.events(UnclaimedAccess):
        if seq < entered[0][0]:
            raise Nonconforming(f"{access.gpa:#x} was touched before D0", seq)


def entry_waited_for(seen: Seen) -> None:
    waits_for_ever(seen, first(entries(seen), "D0 entry"))
    if not seen.sent(*ASSIGNED):
        raise Nonconforming("the answer that came at last was not taken")


def comes_up_anew(seen: Seen) -> None:
    sent = since(seen.sent(), reopened(seen))
    names = [packet.name for packet in sent]
    due = [M.PCI_QUERY_PROTOCOL_VERSION, M.PCI_BUS_D0ENTRY, seen.dialect.assigned_message]
    places = [names.index(kind.name) if kind.name in names else -1 for kind in due]
    early = [sent[place].seq for before, place in pairwise(places) if -1 < place < before]
    if -1 in places or early:
        told_of = f"after it had opened the channel again it sent {', '.join(names)}"
        raise Nonconforming(told_of, min(early, default=None))


CASES: Final = (
    GuestCase(
        id="d0-entered-once",
        strength="must",
        given="A guest whose D0 entry has succeeded",
        when="it works on",
        then="it does not enter D0 again before it has left it",
        source=ENTER,
        scenario=ARRIVAL,
        check=entered_once,
    ),
    GuestCase(
        id="window-aligned",
        strength="must",
        given="A guest that knows its functions",
        when="it enters D0",
        then="the configuration window is at a page's beginning",
        source="pci-hyperv.c hv_allocate_config_window(); the host intercepts whole pages",
        scenario=ARRIVAL,
        check=window_aligned,
    ),
    GuestCase(
        id="d0-before-resources",
        strength="must",
        given="A guest that knows its functions",
        when="it assigns resources",
        then="D0 entry has been answered",
        source="pci-hyperv.c hv_pci_probe()",
        scenario=ARRIVAL,
        check=resources_in_d0,
    ),
    GuestCase(
        id="d0-before-configuration-space",
        strength="must",
        given="A guest that has not entered D0",
        when="it comes up",
        then="it does not touch configuration space, whose window is not there yet",
        source="pci-hyperv.c hv_pci_probe(); OpenVMM VSP maps the window at D0 entry",
        scenario=ARRIVAL,
        check=window_in_d0,
    ),
    GuestCase(
        id="comes-up-in-order",
        strength="linux",
        given="A bus that was just offered",
        when="the guest comes up",
        then="it asks for version, list and resources, enters D0, assigns, and creates interrupts",
        source="pci-hyperv.c hv_pci_probe(); OpenVMM's client does without the list",
        scenario=ARRIVAL,
        check=in_order,
    ),
    GuestCase(
        id="d0-entry-of-sixteen-bytes",
        strength="linux",
        given="A guest that knows its functions",
        when="it enters D0",
        then="the message has 16 bytes and wants an answer",
        source=f"{ENTER}; struct pci_bus_d0_entry",
        scenario=ARRIVAL,
        check=sixteen_bytes,
    ),
    GuestCase(
        id="messages-never-sent",
        strength="linux",
        given="A guest at work, whose function is then ejected",
        when="it talks to its host",
        then="it changes no device's power, queries no resources, resets nothing, and uses neither"
        " RESOURCES_ASSIGNED3 nor DELETE_INTERRUPT2",
        source="pci-hyperv.c: nothing there sends these",
        scenario=LIFE,
        check=never_sent,
    ),
    GuestCase(
        id="d0-entry-waited-for",
        strength="linux",
        given="A host that answers D0 entry after two hundred seconds",
        when="the guest waits",
        then="it neither asks again nor closes the channel, and goes on when the answer comes",
        source="pci-hyperv.c wait_for_response()",
        scenario=answered_late("PCI_BUS_D0ENTRY"),
        check=entry_waited_for,
    ),
)
