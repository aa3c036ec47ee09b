# SPDX-License-Identifier: MIT
"""What a guest asks of a function's resources, what it assigns, and where it puts BARs."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from protocol.pci_regs import PCI_COMMAND
from protocol.vpci import MessageType
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.reading import (
    ASSIGNED,
    CREATE,
    bar_writes,
    channel_closed,
    first,
    premise,
    regions,
    since,
    succeeded,
    wslot_of,
)
from sim.conformance.guest_cases.scenarios import (
    ARRIVAL,
    SECOND,
    SETTLED_NS,
    TWO,
    TWO_ARRIVE,
    administrator,
    after,
    do,
    wait,
)
from sim.conformance.seen import Seen, expect_all, expect_count, expect_names

M = MessageType
REFUSED: Final = 0xC000000D  # INVALID_PARAMETER
ALL_ONES: Final = 0xFFFF_FFFF
FLAGS: Final = 0xF  # the low bits of a memory BAR
RELEASED_AND_LEFT: Final = (M.PCI_RESOURCES_RELEASED.name, M.PCI_BUS_D0EXIT.name)
SEND: Final = "pci-hyperv.c hv_send_resources_allocated()"
POPULATE: Final = "pci-hyperv.c prepopulate_bars()"


def failing(*messages: MessageType) -> str:
    """A host that fails the next request of each of these types."""
    steps = [do("fail-next", message=message.name, status=REFUSED) for message in messages]
    return administrator(*steps, after(SETTLED_NS))


def second_refused() -> str:
    """Two functions, and a host that refuses to assign the second one's resources."""
    steps = (do("fail-next", message=message.name, status=REFUSED) for message in ASSIGNED)
    return TWO + administrator(wait("resources-assigned", after_ns=0), *steps, after(SETTLED_NS))


def assigned_before_created(seen: Seen) -> None:
    for create in seen.sent(*CREATE):
        done = (succeeded(seen, p) for p in seen.sent(*ASSIGNED) if wslot_of(p) == wslot_of(create))
        if not any(place is not None and place < create.seq for place in done):
            raise Nonconforming(f"{create.name} came before RESOURCES_ASSIGNED", create.seq)


def no_newer_form(seen: Seen) -> None:
    for forms, form in (
        (ASSIGNED, seen.dialect.assigned_message),
        (CREATE, seen.dialect.create_message),
    ):
        newer = forms[forms.index(form) + 1 :]
        for packet in seen.sent(*newer) if newer else ():
            raise Nonconforming(f"{packet.name} was sent at {seen.dialect.name}", packet.seq)


def no_interrupt(seen: Seen) -> None:
    assigned = seen.sent(*ASSIGNED)
    premise(assigned, "assigning resources")
    for packet in since(seen.sent(*CREATE), assigned[-1].seq):
        raise Nonconforming(f"{packet.name} was sent though it was refused", packet.seq)


def leaves_d0(seen: Seen) -> None:
    first(seen.sent(M.PCI_BUS_D0EXIT), "D0 exit")
    channel_closed(seen)


def releases_the_first(seen: Seen) -> None:
    refused = [p for p in seen.sent(*ASSIGNED) if wslot_of(p) == SECOND]
    premise(refused and succeeded(seen, refused[0]) is None, "a refused second function")
    follow = since(seen.sent(), refused[0].seq)
    expect_names(follow, RELEASED_AND_LEFT, "after the refusal it sent")
    if wslot_of(follow[0]):
        raise Nonconforming("what was refused is released", follow[0].seq)
    expect_count(follow, len(RELEASED_AND_LEFT), "packets were sent after the refusal")


def asked_before_d0(seen: Seen) -> None:
    query = seen.only(M.PCI_QUERY_RESOURCE_REQUIREMENTS)
    entry = first(seen.sent(M.PCI_BUS_D0ENTRY), "D0 entry")
    if (len(query.payload), query.flags) != (8, 1) or query.seq > entry.seq:
        raise Nonconforming("it is not 8 bytes that want an answer, before D0", query.seq)


def goes_on(seen: Seen) -> None:
    first(seen.sent(*ASSIGNED), "RESOURCES_ASSIGNED")


def no_bar_placed(seen: Seen) -> None:
    goes_on(seen)
    assigned = seen.sent(*ASSIGNED)[0]
    for write in bar_writes(seen):
        placed = {word & ~FLAGS for word in write.registers} - {0, ALL_ONES & ~FLAGS}
        if write.seq > assigned.seq and placed:
            raise Nonconforming("a BAR was placed whose size is not known", write.seq)


def empty_form(seen: Seen) -> None:
    form = seen.dialect.resources_assigned
    for packet in seen.sent(*ASSIGNED):
        empty = form(wslot=wslot_of(packet)).build()
        if packet.payload != empty:
            raise Nonconforming(f"it is not {len(empty)} bytes with type and slot", packet.seq)


def aligned(seen: Seen) -> None:
    for write in bar_writes(seen):
        if not write.decoding or write.was_decoding:
            continue
        for region in regions(seen, write.wslot):
            address = region.address(write.registers)
            if address % region.size_bytes:
                raise Nonconforming(f"BAR {region.place} decodes at {address:#x}", write.seq)


def apart(seen: Seen) -> None:
    taken: dict[tuple[int, int], tuple[int, int]] = {}
    for write in bar_writes(seen):
        if not write.decoding or write.was_decoding:
            continue
        for region in regions(seen, write.wslot):
            start = region.address(write.registers)
            taken[write.wslot, region.place] = (start, start + region.size_bytes)
        spans = sorted(taken.values())
        if any(before[1] > then[0] for before, then in pairwise(spans)):
            raise Nonconforming(f"the BARs of slot {write.wslot} lie over others", write.seq)


def moved_while_off(seen: Seen) -> None:
    for write in bar_writes(seen):
        if write.was_decoding and write.offset != PCI_COMMAND:
            raise Nonconforming(f"{write.offset:#x} was written while it decodes", write.seq)


def decoding_off_first(seen: Seen) -> None:
    write = next(bar_writes(seen), None)
    if write is None or write.offset != PCI_COMMAND or write.decoding:
        raise Nonconforming("decoding was not turned off first", write and write.seq)


CASES: Final = (
    GuestCase(
        id="assigned-before-interrupts",
        strength="must",
        given="A function whose resources are not assigned",
        when="the guest has interrupts created for it",
        then="RESOURCES_ASSIGNED has been answered",
        source=f"{SEND} moves the host's state on",
        scenario=ARRIVAL,
        check=assigned_before_created,
    ),
    GuestCase(
        id="no-newer-forms",
        strength="must",
        given="A guest that has agreed on a version",
        when="it assigns resources and has interrupts created",
        then="it uses no form that came with a later version",
        source="struct pci_resources_assigned2: since 1.2; pci_create_interrupt3: since 1.4",
        scenario=ARRIVAL,
        check=no_newer_form,
    ),
    GuestCase(
        id="refused-function-gets-no-interrupt",
        strength="must",
        given="A host that refuses to assign a function's resources",
        when="the guest hears of it",
        then="it has no interrupt created for the function",
        source=SEND,
        scenario=failing(*ASSIGNED * 2),
        check=no_interrupt,
    ),
    GuestCase(
        id="refused-resources-end-it",
        strength="linux",
        given="A host that refuses to assign a function's resources",
        when="the guest hears of it",
        then="it leaves D0 and closes the channel",
        source="pci-hyperv.c hv_pci_probe(), from its label `exit_d0` on",
        scenario=failing(*ASSIGNED),
        check=leaves_d0,
    ),
    GuestCase(
        id="refused-second-releases-the-first",
        strength="linux",
        given="A host that assigns the first function's resources and refuses the second one's",
        when="the guest hears of it",
        then="it releases the first function and leaves D0",
        source="pci-hyperv.c hv_pci_probe(), `exit_d0`; hv_send_resources_released()",
        scenario=second_refused(),
        check=releases_the_first,
    ),
    GuestCase(
        id="requirements-asked-before-d0",
        strength="linux",
        given="A guest that has heard of a function",
        when="it goes on to D0",
        then="it has asked for the function's resources once",
        source="pci-hyperv.c new_pcichild_device()",
        scenario=ARRIVAL,
        check=asked_before_d0,
    ),
    GuestCase(
        id="refused-requirements-do-no-harm",
        strength="linux",
        given="A host that refuses to tell a function's resources",
        when="the guest hears of it",
        then="it comes up all the same, as if the function had no BARs",
        source="pci-hyperv.c q_resource_requirements()",
        scenario=failing(M.PCI_QUERY_RESOURCE_REQUIREMENTS),
        check=goes_on,
    ),
    GuestCase(
        id="short-requirements-are-a-failure",
        strength="linux",
        given="A host that answers the resource query with a status and nothing else",
        when="the guest has come up",
        then="it has placed no BAR of the function",
        source="pci-hyperv.c q_resource_requirements(): 44 bytes with the descriptor, or a failure",
        scenario=administrator(
            do("answer-next", message="PCI_QUERY_RESOURCE_REQUIREMENTS", data="00000000"),
            after(SETTLED_NS),
        ),
        check=no_bar_placed,
    ),
    GuestCase(
        id="assigned-is-empty",
        strength="linux",
        given="A guest in D0",
        when="it assigns resources",
        then="the message has its version's form and length, and is zero behind the slot",
        source=SEND,
        scenario=ARRIVAL,
        check=empty_form,
    ),
    GuestCase(
        id="bars-aligned",
        strength="must",
        given="A function with BARs",
        when="the guest turns memory decoding on",
        then="every BAR is at a multiple of its size",
        source="PCI: a BAR decodes its size's multiples only",
        scenario=ARRIVAL,
        check=aligned,
    ),
    GuestCase(
        id="bars-apart",
        strength="must",
        given="Two functions with BARs",
        when="the guest turns their memory decoding on",
        then="no BAR lies over another",
        source="pci-hyperv.c prepopulate_bars(), which places them one behind the other",
        scenario=TWO_ARRIVE,
        check=apart,
    ),
    GuestCase(
        id="bars-moved-while-off",
        strength="must",
        given="A function that decodes its memory",
        when="the guest writes its BARs",
        then="it has turned decoding off, for the host ignores the write otherwise",
        source=f"{POPULATE}; OpenVMM test verify_mmio",
        scenario=ARRIVAL,
        check=moved_while_off,
    ),
    GuestCase(
        id="decoding-off-first",
        strength="linux",
        given="A function whose BARs nobody has placed",
        when="the guest begins to",
        then="it turns memory decoding off before anything else, on or not",
        source=POPULATE,
        scenario=ARRIVAL,
        check=decoding_off_first,
    ),
    GuestCase(
        id="assigned-wants-answer",
        strength="linux",
        given="A guest in D0",
        when="it assigns resources",
        then="it asks for a completion",
        source=SEND,
        scenario=ARRIVAL,
        check=lambda seen: expect_all(
            seen.sent(*ASSIGNED), lambda p: p.flags == 1, "asks for no completion"
        ),
    ),
)
