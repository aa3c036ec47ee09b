# SPDX-License-Identifier: MIT
"""Lists that come to a guest at work: functions that stay, go, come and are replaced."""

from __future__ import annotations

from typing import Final

from host.devices import PROFILES
from host.events import BusRelationsSent
from host.function import layout_of
from protocol.vpci import MessageType, PciBusRelations2, PciFunctionDescription2
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.reading import (
    ASSIGNED,
    CREATE,
    DELETE,
    last_event,
    premise,
    reopened,
    since,
    wslot_of,
)
from sim.conformance.guest_cases.relations import WORK, surveyed, surveys_of
from sim.conformance.guest_cases.scenarios import ASSIGNED as SETTLED
from sim.conformance.guest_cases.scenarios import (
    SECOND,
    SETTLED_NS,
    TWO,
    actor,
    administrator,
    after,
    forge,
    knobs,
)
from sim.conformance.seen import Seen, expect_count

M = MessageType
OF_CHANGE: Final = (
    *(*ASSIGNED, *CREATE, *DELETE),
    *(M.PCI_RESOURCES_RELEASED, M.PCI_BUS_D0ENTRY, M.PCI_BUS_D0EXIT, M.PCI_EJECTION_COMPLETE),
)
FIRST_SERIAL: Final = 1  # of the only function, as the host numbers them
NEW_SERIAL: Final = 77
NEW_VENDOR: Final = 0x1AF4
NEW_DEVICE: Final = 0x1042
NEW_REVISION: Final = 0x7E
BURST: Final = 32  # lists
OFF_NS: Final = 1_000_000_000
SLOT_1: Final = """
[[device]]
name = "nvme0"
profile = "nvme-ssd"
driver = "nvme"
slot = 1
"""


def list_step(*names: str) -> str:
    """The host changes its list and sends it."""
    functions = ", ".join(f'"{name}"' for name in names)
    return f'{{ do = "relations", device = "nvme0", functions = [{functions}] }}'


def nothing_given_up(seen: Seen) -> None:
    seen.none(M.PCI_EJECTION_COMPLETE)


def nothing_changes(seen: Seen) -> None:
    again = last_event(seen, BusRelationsSent, "a list")
    for packet in since(seen.sent(*OF_CHANGE), again):
        raise Nonconforming(f"{packet.name} was sent because of a list without news", packet.seq)


def surveyed_once(seen: Seen) -> None:
    seen.only(M.PCI_QUERY_RESOURCE_REQUIREMENTS)


def surveyed_twice(seen: Seen) -> None:
    expect_count(surveys_of(seen, SECOND), 2, "resource queries for the function were sent")


def taken_for_new(seen: Seen) -> None:
    lists = seen.events(BusRelationsSent)
    empty = [seq for seq, event in lists if not event.wslots]
    premise(empty and lists[-1][1].wslots, "a list after the empty one")
    if not [p for p in surveys_of(seen, 0) if empty[0] < p.seq]:
        raise Nonconforming("the function was not taken for a new one", lists[-1][0])


def newest_taken(seen: Seen) -> None:
    for packet in surveys_of(seen, SECOND):
        raise Nonconforming("a function was surveyed that a newer list omits", packet.seq)


def not_resumed(seen: Seen) -> None:
    for packet in since(seen.sent(*ASSIGNED), reopened(seen)):
        if wslot_of(packet) == SECOND:
            raise Nonconforming("a function got resources that the newest list omits", packet.seq)


def taken_for_another(seen: Seen) -> None:
    expect_count(surveys_of(seen, 0), 2, "resource queries for the slot were sent")


def _replaced(**changed: int) -> str:
    """A list with a function in the only slot that is like the one there but for these fields."""
    names = ("v_id", "d_id", "rev", "prog_intf", "subclass", "base_class", "subsystem_id")
    identity = dict(zip(names, layout_of(PROFILES["nvme-ssd"]).identity, strict=True))
    one = PciFunctionDescription2(**{**identity, "ser": FIRST_SERIAL, **changed})
    return forge(PciBusRelations2(device_count=1, func=(one,)).build())


def _another(what: str, named: str, **changed: int) -> GuestCase:
    return GuestCase(
        id=f"new-{what}-is-a-new-function",
        strength="linux",
        given="A guest at work",
        when=f"a list arrives in which its function has another {named}",
        then="it takes that for a new function and asks for its resources",
        source=WORK,
        scenario=administrator(SETTLED, _replaced(**changed), after(SETTLED_NS)),
        check=taken_for_another,
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
    _another("serial", "serial number", ser=NEW_SERIAL),
    _another("vendor", "vendor id", v_id=NEW_VENDOR),
    _another("device", "device id", d_id=NEW_DEVICE),
    GuestCase(
        id="new-revision-is-no-new-function",
        strength="linux",
        given="A guest at work",
        when="a list arrives in which its function has another revision",
        then="it takes that for the function it knows",
        source=f"{WORK}: a function is its slot, vendor, device and serial number",
        scenario=administrator(SETTLED, _replaced(rev=NEW_REVISION), after(SETTLED_NS)),
        check=surveyed_once,
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
        id="empty-list-obeyed",
        strength="linux",
        given="A guest at work on a bus with one function",
        when="an empty list arrives, and then one with the function again",
        then="it takes the function for a new one and asks for its resources again",
        source=f"{WORK}; FreeBSD ignores an empty list",
        scenario=knobs(rescind_after_last=False)
        + administrator(
            SETTLED, list_step(), after(SETTLED_NS), list_step("nvme0"), after(SETTLED_NS)
        ),
        check=taken_for_new,
    ),
)
