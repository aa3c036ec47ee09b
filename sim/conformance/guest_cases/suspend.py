# SPDX-License-Identifier: MIT
"""Hibernation: what a guest gives up, and what it has made anew."""

from __future__ import annotations

from typing import Final

from protocol.pci_regs import PCI_BASE_ADDRESS_0
from protocol.vpci import MessageType
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.d0_entry import comes_up_anew
from sim.conformance.guest_cases.d0_exit import closed_at, exit_before_close, released_from_above
from sim.conformance.guest_cases.reading import (
    ASSIGNED,
    CREATE,
    bar_writes,
    mappings_until,
    premise,
    regions,
    reopened,
    since,
    succeeded,
    wslot_of,
)
from sim.conformance.guest_cases.scenarios import ASSIGNED as SETTLED
from sim.conformance.guest_cases.scenarios import (
    HIBERNATE,
    SETTLED_NS,
    TWO,
    actor,
    administrator,
    after,
)
from sim.conformance.seen import Seen

M = MessageType


def mappings_made_anew(seen: Seen) -> None:
    again = reopened(seen)
    assigned = [p for p in since(seen.sent(*ASSIGNED), again) if succeeded(seen, p)]
    premise(assigned, "resources assigned again")
    left = [packet.seq for packet in seen.sent(M.PCI_BUS_D0EXIT)]
    before = len(mappings_until(seen, min((*left, closed_at(seen)))))
    made = len(since(seen.sent(*CREATE), assigned[0].seq))
    if made < before:
        raise Nonconforming(f"of {before} interrupts {made} were created again")


def list_asked_for(seen: Seen) -> None:
    """Before D0 is entered again; what the host lists of itself at that is another matter."""
    again = reopened(seen)
    entered = since(seen.sent(M.PCI_BUS_D0ENTRY), again)
    premise(entered, "D0 entry after the resume")
    asked = since(seen.sent(M.PCI_QUERY_BUS_RELATIONS), again)
    if not asked or entered[0].seq < asked[0].seq:
        raise Nonconforming("D0 was entered and the list not asked for", entered[0].seq)


def bars_placed(seen: Seen) -> None:
    """Before the first interrupt: the PCI core, which restores registers, does so later."""
    again = reopened(seen)
    created = since(seen.sent(*CREATE), again)
    premise(created, "creating an interrupt after the resume")
    asked = created[0]
    writes = [
        w for w in bar_writes(seen) if again < w.seq < asked.seq and w.wslot == wslot_of(asked)
    ]
    written = {write.offset for write in writes}
    for region in regions(seen, wslot_of(asked)):
        if PCI_BASE_ADDRESS_0 + 4 * region.place not in written:
            raise Nonconforming(f"BAR {region.place} has not been placed by then", asked.seq)
        if not region.address(writes[-1].registers):
            raise Nonconforming(f"BAR {region.place} was left at 0", writes[-1].seq)


CASES: Final = (
    GuestCase(
        id="d0-left-at-suspend",
        strength="must",
        given="A guest at work",
        when="it hibernates",
        then="it leaves D0 before it closes the channel",
        source="pci-hyperv.c hv_pci_suspend()",
        scenario=HIBERNATE,
        check=exit_before_close,
    ),
    GuestCase(
        id="suspend-releases-from-above",
        strength="linux",
        given="A guest at work on a bus with two functions",
        when="it hibernates",
        then="it releases the resources of both, the higher slot first",
        source="pci-hyperv.c hv_send_resources_released()",
        scenario=TWO
        + administrator()
        + actor("user", *[SETTLED] * 2, '{ do = "suspend" }', after(SETTLED_NS)),
        check=released_from_above,
    ),
    GuestCase(
        id="resume-comes-up-anew",
        strength="must",
        given="A guest that has hibernated",
        when="it opens the channel again",
        then="it agrees on a version, enters D0 and assigns resources as if for the first time",
        source="pci-hyperv.c hv_pci_resume()",
        scenario=HIBERNATE,
        check=comes_up_anew,
    ),
    GuestCase(
        id="resume-asks-for-the-list",
        strength="linux",
        given="A guest that has hibernated and knows its functions",
        when="it comes up again",
        then="it asks for the list all the same, and enters D0 after that",
        source="pci-hyperv.c hv_pci_resume(): hv_pci_query_relations()",
        scenario=HIBERNATE,
        check=list_asked_for,
    ),
    GuestCase(
        id="resume-places-bars",
        strength="linux",
        given="A guest that has hibernated with interrupts",
        when="it has assigned resources again",
        then="it writes an address into every BAR before it has an interrupt created",
        source="pci-hyperv.c hv_pci_resume(): prepopulate_bars()",
        scenario=HIBERNATE,
        check=bars_placed,
    ),
    GuestCase(
        id="resume-creates-interrupts-again",
        strength="must",
        given="A guest that has hibernated with interrupts",
        when="it has assigned resources again",
        then="it has every interrupt created again, for the host has forgotten them",
        source="pci-hyperv.c hv_pci_restore_msi_state(); commit 915cff7f38c5",
        scenario=HIBERNATE,
        check=mappings_made_anew,
    ),
)
