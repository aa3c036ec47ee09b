# SPDX-License-Identifier: MIT
"""The host's list of functions, as a guest takes it."""

from __future__ import annotations

from typing import Final

from host.devices import PROFILES
from host.events import BusRelationsSent
from host.function import layout_of
from protocol.vmbus import ChannelMessageType
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
from sim.conformance.seen import Seen, SeenPacket

M = MessageType
OF_CHANGE: Final = (
    *(*ASSIGNED, *CREATE, *DELETE),
    *(M.PCI_RESOURCES_RELEASED, M.PCI_BUS_D0ENTRY, M.PCI_BUS_D0EXIT, M.PCI_EJECTION_COMPLETE),
)
OF_COMING_UP: Final = (
    M.PCI_QUERY_PROTOCOL_VERSION,
    M.PCI_QUERY_RESOURCE_REQUIREMENTS,
    M.PCI_QUERY_BUS_RELATIONS,
)
SUCCESS: Final = "00000000"
FAILURE: Final = "010000c0"
NEW_SERIAL: Final = 77
BURST: Final = 32  # lists
OFF_NS: Final = 1_000_000_000
LEAVING_NS: Final = 5_000_000_000  # half of what a guest waits for D0 exit
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


def _surveys(seen: Seen, wslot: int) -> list[SeenPacket]:
    """The queries for the resources of a slot."""
    asked = seen.sent(M.PCI_QUERY_RESOURCE_REQUIREMENTS)
    return [packet for packet in asked if wslot_of(packet) == wslot]


def surveyed(seen: Seen, *wslots: int) -> None:
    """Each of these was asked about after the first list."""
    for wslot in wslots:
        first(_surveys(seen, wslot), f"resource query for slot {wslot}")


def taken_before_it_asked(seen: Seen) -> None:
    """The host leaves the query unanswered: what the guest knows is from the early list."""
    early = seen.told(M.PCI_BUS_RELATIONS2)
    query = first(seen.sent(M.PCI_QUERY_BUS_RELATIONS), "query for the list")
    premise(early and early[0].seq < query.seq, "a list before it asked")
    surveyed(seen, V2_SLOT)


def another_awaited(seen: Seen) -> None:
    """The early list has been dealt with when the guest asks, and the host is silent then."""
    lists = seen.told(M.PCI_BUS_RELATIONS2)
    query = first(seen.sent(M.PCI_QUERY_BUS_RELATIONS), "query for the list")
    early = lists and [p for p in since(_surveys(seen, V2_SLOT), lists[0].seq) if p.seq < query.seq]
    premise(early, "asking about a list that came early")
    later, entries = since(lists, query.seq), seen.sent(M.PCI_BUS_D0ENTRY)
    if entries and (not later or entries[0].seq < later[0].seq):
        raise Nonconforming("D0 was entered on the strength of the early list", entries[0].seq)
    premise(later, "waiting for another list")
    if not entries:
        raise Nonconforming("the list that it had asked for was not taken", later[0].seq)


def thrown_away(seen: Seen) -> None:
    """The host leaves D0 exit unanswered, and its list comes meanwhile."""
    exits = seen.sent(M.PCI_BUS_D0EXIT)
    premise(exits, "D0 exit")
    late = since(seen.told(M.PCI_BUS_RELATIONS2), exits[0].seq)
    closed = seen.posted(ChannelMessageType.CHANNELMSG_CLOSECHANNEL)
    premise(late and (not closed or late[0].seq < closed[0].seq), "a list while it leaves D0")
    for packet in since(seen.sent(), late[0].seq):
        raise Nonconforming(f"{packet.name} was sent because of a list", packet.seq)


def surveyed_once(seen: Seen) -> None:
    seen.only(M.PCI_QUERY_RESOURCE_REQUIREMENTS)


def surveyed_twice(seen: Seen) -> None:
    asked = _surveys(seen, SECOND)
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
    for packet in _surveys(seen, SECOND):
        raise Nonconforming("a function was surveyed that a newer list omits", packet.seq)


def not_resumed(seen: Seen) -> None:
    for packet in since(seen.sent(*ASSIGNED), reopened(seen)):
        if wslot_of(packet) == SECOND:
            raise Nonconforming("a function got resources that the newest list omits", packet.seq)


def surveyed_with_new_serial(seen: Seen) -> None:
    asked = _surveys(seen, 0)
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
    return administrator(
        do("ignore-next", message="PCI_QUERY_BUS_RELATIONS"),
        wait("version-agreed", after_ns=0),
        forge(_stranger()),
        after(SETTLED_NS),
    )


def _long_before() -> str:
    """A list while the version query waits, another one long after the guest has asked.

    The function's requirements are answered in between, by a failure, so that nothing of the early
    list is left to do when the version is agreed on.
    """
    return administrator(
        *(do("ignore-next", message=message.name) for message in OF_COMING_UP),
        after(SETTLED_NS),
        forge(_stranger()),
        after(SETTLED_NS),
        do("forge-completion", request=2, data=FAILURE),
        after(SETTLED_NS),
        do("forge-completion", request=1, data=SUCCESS),
        after(SETTLED_NS),
        forge(_stranger()),
        after(SETTLED_NS),
    )


def _stranger() -> bytes:
    """A list of the second form, with one function that the bus does not have."""
    one = PciFunctionDescription2(v_id=0x1414, d_id=1, win_slot=V2_SLOT, ser=10)
    return PciBusRelations2(device_count=1, func=(one,)).build()


def _while_leaving() -> str:
    """D0 exit is never answered; while the guest waits for that, a list has a new function."""
    return administrator(
        SETTLED,
        do("ignore-next", message="PCI_BUS_D0EXIT"),
        after(LEAVING_NS),
        forge(_stranger()),
        after(OFF_NS),
    ) + actor("user", SETTLED, after(SETTLED_NS), do("unbind-bus"))


def _forged_lists() -> tuple[str, ...]:
    """A list of each form, with one function that only it has, and time to take it."""
    one = PciFunctionDescription(v_id=0x1414, d_id=1, win_slot=V1_SLOT, ser=9)
    return (
        forge(PciBusRelations(device_count=1, func=(one,)).build()),
        after(SETTLED_NS),
        forge(_stranger()),
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
        id="list-before-it-was-asked-for-wakes-nobody",
        strength="linux",
        given="A guest that has taken a list before a version was agreed on",
        when="it has asked for the list and the host sends none",
        then="it waits, and enters D0 when another list arrives",
        source="pci-hyperv.c hv_pci_query_relations(): survey_event",
        scenario=_long_before(),
        check=another_awaited,
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
        id="list-while-leaving-thrown-away",
        strength="linux",
        given="A guest that is being taken off its bus and waits for D0 exit to be answered",
        when="a list arrives with a new function",
        then="it throws the list away and sends nothing",
        source="pci-hyperv.c hv_pci_start_relations_work(): hv_pcibus_removing",
        scenario=_while_leaving(),
        check=thrown_away,
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
