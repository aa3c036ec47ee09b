# SPDX-License-Identifier: MIT
"""The host's list of functions, as a guest takes it."""

from __future__ import annotations

from typing import Final

from host.devices import PROFILES
from host.events import BusRelationsSent
from host.function import layout_of
from protocol.vpci import (
    MessageType,
    PciBusRelations,
    PciBusRelations2,
    PciFunctionDescription,
    PciFunctionDescription2,
)
from sim.conformance.case import ALL, GuestCase, Nonconforming
from sim.conformance.guest_cases.negotiation import NEEDS
from sim.conformance.guest_cases.reading import (
    ASSIGNED,
    CREATE,
    DELETE,
    OF_A_SLOT,
    first,
    last_event,
    premise,
    reopened,
    since,
    wslot_of,
)
from sim.conformance.guest_cases.scenarios import (
    ARRIVAL,
    LIFE,
    SECOND,
    SETTLED_NS,
    TWO,
    TWO_ARRIVE,
    actor,
    administrator,
    after,
    do,
    forge,
    knobs,
    wait,
)
from sim.conformance.guest_cases.scenarios import ASSIGNED as SETTLED
from sim.conformance.seen import Seen

M = MessageType
OF_CHANGE: Final = (
    *(*ASSIGNED, *CREATE, *DELETE),
    *(M.PCI_RESOURCES_RELEASED, M.PCI_BUS_D0ENTRY, M.PCI_BUS_D0EXIT, M.PCI_EJECTION_COMPLETE),
)
NEW_SERIAL: Final = 77
BURST: Final = 32  # lists
OFF_NS: Final = 1_000_000_000
V1_SLOT, V2_SLOT = 9, 10  # of functions that nobody has but two forged lists
SLOT_1: Final = """
[[device]]
name = "nvme0"
profile = "nvme-ssd"
driver = "nvme"
slot = 1
"""
WORK: Final = "pci-hyperv.c pci_devices_present_work()"
CALLBACK: Final = "pci-hyperv.c hv_pci_onchannelcallback()"


def list_step(*names: str) -> str:
    """The host changes its list and sends it."""
    functions = ", ".join(f'"{name}"' for name in names)
    return f'{{ do = "relations", device = "nvme0", functions = [{functions}] }}'


def only_listed(seen: Seen) -> None:
    lists = seen.events(BusRelationsSent)
    for packet in seen.sent(*OF_A_SLOT):
        known = [event.wslots for seq, event in lists if seq < packet.seq]
        if not any(wslot_of(packet) in wslots for wslots in known):
            raise Nonconforming(f"{packet.name} names slot {wslot_of(packet):#x}", packet.seq)


def all_assigned(seen: Seen) -> None:
    lists = seen.events(BusRelationsSent)
    assigned = {wslot_of(packet) for packet in seen.sent(*ASSIGNED)}
    missing = [wslot for wslot in lists[0][1].wslots if wslot not in assigned] if lists else []
    if missing or not lists:
        raise Nonconforming(f"of the functions listed slots {missing} got no resources")


def nothing_given_up(seen: Seen) -> None:
    seen.none(M.PCI_EJECTION_COMPLETE)


def nothing_changes(seen: Seen) -> None:
    again = last_event(seen, BusRelationsSent, "a list")
    for packet in since(seen.sent(*OF_CHANGE), again):
        raise Nonconforming(f"{packet.name} was sent because of a list without news", packet.seq)


def asked_for_once(seen: Seen) -> None:
    query = seen.only(M.PCI_QUERY_BUS_RELATIONS)
    found = (len(query.payload), query.flags)
    if found != (4, 0):
        raise Nonconforming(f"it has {found[0]} bytes and flags {found[1]}", query.seq)


def surveyed(seen: Seen, *wslots: int) -> None:
    """Each of these was asked about after the first list."""
    asked = seen.sent(M.PCI_QUERY_RESOURCE_REQUIREMENTS)
    for wslot in wslots:
        first([p for p in asked if wslot_of(p) == wslot], f"resource query for slot {wslot}")


def taken_before_it_asked(seen: Seen) -> None:
    """The host leaves the query unanswered: what the guest knows is from the early list."""
    early = seen.told(M.PCI_BUS_RELATIONS2)
    query = first(seen.sent(M.PCI_QUERY_BUS_RELATIONS), "query for the list")
    premise(early and early[0].seq < query.seq, "a list before it asked")
    surveyed(seen, V2_SLOT)


def surveyed_once(seen: Seen) -> None:
    seen.only(M.PCI_QUERY_RESOURCE_REQUIREMENTS)


def surveyed_twice(seen: Seen) -> None:
    asked = [p for p in seen.sent(M.PCI_QUERY_RESOURCE_REQUIREMENTS) if wslot_of(p) == SECOND]
    if len(asked) != 2:
        raise Nonconforming(f"{len(asked)} resource queries for the function were sent, not 2")


def assigned_once(seen: Seen) -> None:
    seen.only(seen.dialect.assigned_message)


def ascending(seen: Seen) -> None:
    slots = [wslot_of(packet) for packet in seen.sent(*ASSIGNED)]
    if slots != sorted(slots):
        raise Nonconforming(f"resources were assigned to slots in this order: {slots}")


def what_follows(seen: Seen) -> None:
    """Nobody says what is due: tell what came."""
    empty = last_event(seen, BusRelationsSent, "a list")
    names = [packet.name for packet in since(seen.sent(), empty)]
    raise Nonconforming(f"it sent {', '.join(names) or 'nothing'}")


def newest_taken(seen: Seen) -> None:
    for packet in seen.sent(M.PCI_QUERY_RESOURCE_REQUIREMENTS):
        if wslot_of(packet) == SECOND:
            raise Nonconforming("a function was surveyed that a newer list omits", packet.seq)


def not_resumed(seen: Seen) -> None:
    for packet in since(seen.sent(*ASSIGNED), reopened(seen)):
        if wslot_of(packet) == SECOND:
            raise Nonconforming("a function got resources that the newest list omits", packet.seq)


def surveyed_with_new_serial(seen: Seen) -> None:
    asked = [p for p in seen.sent(M.PCI_QUERY_RESOURCE_REQUIREMENTS) if wslot_of(p) == 0]
    if len(asked) != 2:
        raise Nonconforming(f"{len(asked)} resource queries for the slot were sent, not 2")


def _replaced() -> str:
    """A list with another function in the only slot: the same but for its serial number."""
    names = ("v_id", "d_id", "rev", "prog_intf", "subclass", "base_class", "subsystem_id")
    identity = dict(zip(names, layout_of(PROFILES["nvme-ssd"]).identity, strict=True))
    one = PciFunctionDescription2(**identity, ser=NEW_SERIAL)
    return forge(PciBusRelations2(device_count=1, func=(one,)).build())


def _early() -> str:
    """A list right when the version is agreed on, and none when the guest asks."""
    one = PciFunctionDescription2(v_id=0x1414, d_id=1, win_slot=V2_SLOT, ser=10)
    return administrator(
        do("ignore-next", message="PCI_QUERY_BUS_RELATIONS"),
        wait("version-agreed", after_ns=0),
        forge(PciBusRelations2(device_count=1, func=(one,)).build()),
        after(SETTLED_NS),
    )


def _forged_lists() -> tuple[str, ...]:
    """A list of each form, with one function that only it has, and time to take it."""
    one = PciFunctionDescription(v_id=0x1414, d_id=1, win_slot=V1_SLOT, ser=9)
    two = PciFunctionDescription2(v_id=0x1414, d_id=1, win_slot=V2_SLOT, ser=10)
    return (
        forge(PciBusRelations(device_count=1, func=(one,)).build()),
        after(SETTLED_NS),
        forge(PciBusRelations2(device_count=1, func=(two,)).build()),
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


REPEATED: Final = administrator(SETTLED, list_step("nvme0"), after(SETTLED_NS))
GROWN: Final = TWO + "present = false\n"
OMITTED: Final = (
    TWO
    + administrator(SETTLED, list_step("nvme0"), after(SETTLED_NS))
    + actor(
        "user",
        SETTLED,
        after(3 * SETTLED_NS),
        '{ do = "suspend" }',
        after(OFF_NS),
        '{ do = "resume" }',
        after(SETTLED_NS),
    )
)

CASES: Final = (
    GuestCase(
        id="list-before-it-was-asked-for",
        strength="linux",
        given="A host that sends a list as soon as a version is agreed on",
        when="the guest has not asked for it yet",
        then="it asks for the resources of the list's function, and for the list all the same",
        source=f"{CALLBACK}; hv_pci_query_relations()",
        scenario=_early(),
        check=taken_before_it_asked,
    ),
    GuestCase(
        id="only-listed-slots",
        strength="must",
        given="A bus with one function",
        when="the guest sends messages about functions",
        then="each names a function that a list has had",
        source="OpenVMM VSP: any other slot is BAD_DATA",
        scenario=LIFE,
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
        id="list-is-no-eject",
        strength="must",
        given="A bus with one function, in slot 1",
        when="its list arrives again, whose count is 1",
        then="the guest does not give the function up, as FreeBSD does",
        source="FreeBSD vmbus_pcib.c: BUS_RELATIONS2 falls through into EJECT",
        scenario=SLOT_1 + REPEATED,
        check=nothing_given_up,
    ),
    GuestCase(
        id="removal-by-list-not-answered",
        strength="must",
        given="A bus with two functions",
        when="a list arrives without one of them",
        then="the guest sends no EJECTION_COMPLETE, which nobody has asked for",
        source=f"{WORK}; OpenVMM's client ends the device's stream",
        scenario=TWO + administrator(SETTLED, list_step("nvme0"), after(SETTLED_NS)),
        check=nothing_given_up,
    ),
    GuestCase(
        id="repeated-list-changes-nothing",
        strength="must",
        given="A guest at work",
        when="a list arrives that it knows already",
        then="it neither assigns, releases, creates nor deletes anything",
        source=f"{WORK}: a function is its slot, vendor, device and serial number",
        scenario=REPEATED,
        check=nothing_changes,
    ),
    GuestCase(
        id="burst-of-lists-taken",
        strength="must",
        given="A guest at work on a bus with one function",
        when=f"{BURST} lists arrive at once, and then one with another function in its place",
        then="it asks for the resources of the other",
        source="pci-hyperv.c hv_pci_start_relations_work(): lists queue up without a limit",
        scenario=GROWN
        + administrator(
            SETTLED,
            *[list_step("nvme0")] * BURST,
            after(SETTLED_NS),
            list_step("nvme1"),
            after(SETTLED_NS),
        ),
        check=lambda seen: surveyed(seen, SECOND),
    ),
    GuestCase(
        id="omitted-function-not-resumed",
        strength="must",
        given="A guest that has lost one of two functions by a list",
        when="it has hibernated and comes up again",
        then="it assigns no resources to the function that has gone",
        source=f"{WORK}: what the newest list omits is removed",
        scenario=OMITTED,
        check=not_resumed,
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
        id="new-function-surveyed",
        strength="linux",
        given="A guest at work on a bus with one function",
        when="a list arrives with a second one",
        then="it asks for the resources of the second",
        source="pci-hyperv.c new_pcichild_device()",
        scenario=GROWN + administrator(SETTLED, list_step("nvme0", "nvme1"), after(SETTLED_NS)),
        check=lambda seen: surveyed(seen, SECOND),
    ),
    GuestCase(
        id="known-function-not-surveyed-again",
        strength="linux",
        given="A guest at work",
        when="a list arrives that it knows already",
        then="it does not ask for the function's resources again",
        source=WORK,
        scenario=REPEATED,
        check=surveyed_once,
    ),
    GuestCase(
        id="function-that-comes-back-surveyed-again",
        strength="linux",
        given="A bus that has lost one of two functions by a list",
        when="a list arrives with both again",
        then="the guest takes it for a new one and asks for its resources again",
        source=WORK,
        scenario=TWO
        + administrator(
            SETTLED,
            list_step("nvme0"),
            after(SETTLED_NS),
            list_step("nvme0", "nvme1"),
            after(SETTLED_NS),
        ),
        check=surveyed_twice,
    ),
    GuestCase(
        id="new-serial-is-a-new-function",
        strength="linux",
        given="A guest at work",
        when="a list arrives in which its function has another serial number",
        then="it takes that for a new function and asks for its resources",
        source=WORK,
        scenario=administrator(SETTLED, _replaced(), after(SETTLED_NS)),
        check=surveyed_with_new_serial,
    ),
    GuestCase(
        id="newest-list-counts",
        strength="linux",
        given="A guest at work on a bus with one function",
        when="three lists arrive at once, and only the second has a new function",
        then="it acts on the last and never asks about the new one",
        source=WORK,
        scenario=GROWN
        + administrator(
            SETTLED,
            *(list_step("nvme0"), list_step("nvme0", "nvme1"), list_step("nvme0")),
            after(SETTLED_NS),
        ),
        check=newest_taken,
    ),
    GuestCase(
        id="list-again-at-d0",
        strength="linux",
        given="A host that sends the list again on D0 entry, before its answer",
        when="the guest has heard it twice during one probe",
        then="it assigns the function's resources once",
        source=f"OpenVMM VSP, PR 1500; {WORK}",
        scenario=knobs(relations_after_d0=True) + administrator(SETTLED),
        check=assigned_once,
    ),
    GuestCase(
        id="list-after-d0-answer",
        strength="linux",
        given="A host that sends the list again right after its answer to D0 entry",
        when="the guest has heard it twice during one probe",
        then="it assigns the function's resources once",
        source=WORK,
        scenario=knobs(relations_after_d0=True, relations_before_d0_completion=False)
        + administrator(SETTLED),
        check=assigned_once,
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
    GuestCase(
        id="empty-list",
        strength="unknown",
        given="A guest at work on a bus with one function",
        when="an empty list arrives",
        then="it says nothing that is known",
        source="Linux removes all functions, FreeBSD ignores the list",
        scenario=knobs(rescind_after_last=False)
        + administrator(SETTLED, list_step(), after(SETTLED_NS)),
        check=what_follows,
    ),
)
