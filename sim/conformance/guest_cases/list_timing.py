# SPDX-License-Identifier: MIT
"""Lists that come while a guest is on its way up, or on its way out."""

from __future__ import annotations

from typing import Final

from protocol.vmbus import ChannelMessageType
from protocol.vpci import MessageType
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.reading import first, premise, since
from sim.conformance.guest_cases.relations import (
    CALLBACK,
    V2_SLOT,
    WORK,
    strangers_list,
    surveyed,
    surveys_of,
)
from sim.conformance.guest_cases.scenarios import ASSIGNED as SETTLED
from sim.conformance.guest_cases.scenarios import (
    SETTLED_NS,
    actor,
    administrator,
    after,
    do,
    forge,
    knobs,
    wait,
)
from sim.conformance.seen import Seen

M = MessageType
OF_COMING_UP: Final = (
    M.PCI_QUERY_PROTOCOL_VERSION,
    M.PCI_QUERY_RESOURCE_REQUIREMENTS,
    M.PCI_QUERY_BUS_RELATIONS,
)
SUCCESS: Final = "00000000"
FAILURE: Final = "010000c0"
LEAVING_NS: Final = 5_000_000_000  # half of what a guest waits for D0 exit


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
    early = lists and [
        p for p in since(surveys_of(seen, V2_SLOT), lists[0].seq) if p.seq < query.seq
    ]
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


def assigned_once(seen: Seen) -> None:
    seen.only(seen.dialect.assigned_message)


def _early() -> str:
    """A list right when the version is agreed on, and none when the guest asks."""
    return administrator(
        do("ignore-next", message="PCI_QUERY_BUS_RELATIONS"),
        wait("version-agreed", after_ns=0),
        forge(strangers_list()),
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
        forge(strangers_list()),
        after(SETTLED_NS),
        do("answer-late", message=M.PCI_QUERY_RESOURCE_REQUIREMENTS.name, data=FAILURE),
        after(SETTLED_NS),
        do("answer-late", message=M.PCI_QUERY_PROTOCOL_VERSION.name, data=SUCCESS),
        after(SETTLED_NS),
        forge(strangers_list()),
        after(SETTLED_NS),
    )


def _while_leaving() -> str:
    """D0 exit is never answered; while the guest waits for that, a list has a new function."""
    return administrator(
        SETTLED,
        do("ignore-next", message="PCI_BUS_D0EXIT"),
        after(LEAVING_NS),
        forge(strangers_list()),
        after(SETTLED_NS),
    ) + actor("user", SETTLED, after(SETTLED_NS), do("unbind-bus"))


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
)
