# SPDX-License-Identifier: MIT
"""D0 entry and exit, letting go of a bus, hibernation: what a guest says and when."""

from __future__ import annotations

from typing import Final

from host.events import D0Entered
from protocol.hypercall import HV_HYP_PAGE_SIZE
from protocol.link import UnclaimedAccess
from protocol.vmbus import ChannelMessageType
from protocol.vpci import MessageType, PciBusD0Entry
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.reading import (
    ASSIGNED,
    CREATE,
    accesses,
    first,
    mappings_until,
    premise,
    reopened,
    since,
    succeeded,
    waits_for_ever,
    wslot_of,
)
from sim.conformance.guest_cases.scenarios import ASSIGNED as SETTLED
from sim.conformance.guest_cases.scenarios import (
    HIBERNATE,
    LIFE,
    SECOND,
    SETTLED_NS,
    TWO,
    UNBIND,
    actor,
    administrator,
    after,
    answered_late,
    do,
)
from sim.conformance.seen import Seen, SeenPacket, expect_all

M = MessageType
CLOSE: Final = ChannelMessageType.CHANNELMSG_CLOSECHANNEL
NEVER: Final = (
    M.PCI_POWER_STATE_CHANGE,
    M.PCI_QUERY_RESOURCE_RESOURCES,
    M.PCI_RESOURCES_ASSIGNED3,
    M.PCI_DELETE_INTERRUPT_MESSAGE2,
    M.RESET_DEVICE,
)
RETRY: Final = [M.PCI_RESOURCES_RELEASED.name, M.PCI_BUS_D0EXIT.name, M.PCI_BUS_D0ENTRY.name]
REFUSES_D0_AGAIN: Final = """
[needs]
profile = ["hyperv"]
why = "the openvmm profile never refuses D0"
"""
EXIT_NS: Final = 10_000_000_000
EXIT_PATIENCE_NS: Final = 1_000_000_000  # a jiffy would do
ENTER: Final = "pci-hyperv.c hv_pci_enter_d0()"
LEAVE: Final = "pci-hyperv.c hv_pci_bus_exit()"
INVALID_DEVICE_STATE: Final = 0xC0000184
UNSUCCESSFUL: Final = 0xC0000001


def refused_d0(times: int, status: int = INVALID_DEVICE_STATE) -> str:
    """A host that refuses D0 so often."""
    step = do("fail-next", message="PCI_BUS_D0ENTRY", status=status)
    return administrator(*[step] * times, after(SETTLED_NS))


def entries(seen: Seen) -> list[SeenPacket]:
    return seen.sent(M.PCI_BUS_D0ENTRY)


def in_d0(seen: Seen) -> int:
    """The place where D0 entry had succeeded for the first time."""
    places = [place for entry in entries(seen) if (place := succeeded(seen, entry))]
    premise(places, "D0")
    return places[0]


def left_d0(seen: Seen) -> SeenPacket:
    """The first D0 exit."""
    exits = seen.sent(M.PCI_BUS_D0EXIT)
    premise(exits, "D0 exit")
    return exits[0]


def closed_at(seen: Seen) -> int:
    """The place where the channel was closed first."""
    closed = seen.posted(CLOSE)
    premise(closed, "closing the channel")
    return closed[0].seq


def in_order(seen: Seen) -> None:
    names = [packet.name for packet in seen.sent()]
    due = [
        M.PCI_QUERY_PROTOCOL_VERSION,
        M.PCI_QUERY_BUS_RELATIONS,
        M.PCI_QUERY_RESOURCE_REQUIREMENTS,
        M.PCI_BUS_D0ENTRY,
        seen.dialect.assigned_message,
        seen.dialect.create_message,
    ]
    for packet in reversed(seen.sent(M.PCI_QUERY_PROTOCOL_VERSION)[:-1]):
        names.remove(packet.name)  # versions that were refused
    if names[: len(due)] != [message.name for message in due]:
        raise Nonconforming(f"it came up with {', '.join(names[: len(due)])}")


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
        base = PciBusD0Entry.parse(entry.payload).mmio_base
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


def exit_before_close(seen: Seen) -> None:
    closed = closed_at(seen)
    if not any(packet.seq < closed for packet in seen.sent(M.PCI_BUS_D0EXIT)):
        raise Nonconforming("the channel was closed in D0", closed)


def no_access_after_exit(seen: Seen) -> None:
    exit_ = left_d0(seen)
    for seq, _ in (*accesses(seen), *seen.events(UnclaimedAccess)):
        if seq > exit_.seq:
            raise Nonconforming("the configuration window was touched after D0 exit", seq)


def channel_closed(seen: Seen) -> None:
    if not seen.posted(CLOSE):
        raise Nonconforming("the channel was left open")


def no_resources(seen: Seen) -> None:
    entry = first(entries(seen), "D0 entry")
    refused = seen.answer_to(entry)
    premise(refused, "a D0 entry that wants an answer")
    for packet in since(seen.sent(*ASSIGNED), refused.seq if refused else 0):
        raise Nonconforming(f"{packet.name} was sent though D0 was refused", packet.seq)


def released_and_retried(seen: Seen) -> None:
    names = [p.name for p in since(seen.sent(), first(entries(seen), "D0 entry").seq)]
    if names[:3] != RETRY:
        raise Nonconforming(f"after the refusal it sent {', '.join(names[:3]) or 'nothing'}")


def starts_over(seen: Seen) -> None:
    again = reopened(seen)
    entered = [entry for entry in entries(seen) if entry.seq > again]
    names = [p.name for p in since(seen.sent(), first(entered, "D0 entry").seq)]
    if names[:3] != RETRY:
        raise Nonconforming(f"after the refusal it sent {', '.join(names[:3]) or 'nothing'}")


def released_before_retry(seen: Seen) -> None:
    """Every release stands between the refused D0 entry and the D0 exit."""
    premise(len(entries(seen)) > 1, "a second D0 entry")
    refused, again = entries(seen)[:2]
    left = left_d0(seen)
    premise(refused.seq < left.seq < again.seq, "leaving D0 between the two")
    released_from_above(seen)
    expect_all(
        seen.sent(M.PCI_RESOURCES_RELEASED),
        lambda p: refused.seq < p.seq < left.seq,
        "was not sent between the refusal and D0 exit",
    )


def no_retry_without_answer(seen: Seen) -> None:
    """Linux closes the channel then: the refusal is all that it has."""
    again = since(entries(seen), left_d0(seen).seq)
    if again:
        raise Nonconforming("D0 entry was sent though D0 exit was not answered", again[0].seq)
    gives_up_the_answer(seen)


def entry_waited_for(seen: Seen) -> None:
    waits_for_ever(seen, first(entries(seen), "D0 entry"))
    if not seen.sent(*ASSIGNED):
        raise Nonconforming("the answer that came at last was not taken")


def retried_once(seen: Seen) -> None:
    if len(entries(seen)) != 2:
        raise Nonconforming(f"{len(entries(seen))} D0 entries were sent, not 2")
    channel_closed(seen)


def exit_wants_answer(seen: Seen) -> None:
    expect_all(seen.sent(M.PCI_BUS_D0EXIT), lambda p: p.flags == 1, "asks for no completion")


def closed_when_answered(seen: Seen) -> None:
    answer = seen.answer_to(left_d0(seen))
    closed = closed_at(seen)
    if answer is None or answer.seq > closed:
        raise Nonconforming("the channel was closed before D0 exit was answered", closed)


def closed_all_the_same(seen: Seen) -> None:
    exit_ = left_d0(seen)
    answer = seen.answer_to(exit_)
    premise(answer is not None and succeeded(seen, exit_) is None, "a refused D0 exit")
    channel_closed(seen)
    closed_when_answered(seen)
    gave_up = seen.posted(CLOSE)[0].at_ns - exit_.at_ns >= EXIT_NS
    if gave_up or len(seen.sent(M.PCI_BUS_D0EXIT)) > 1:
        raise Nonconforming("the refusal was not taken for the answer", closed_at(seen))


def released_nothing(seen: Seen) -> None:
    seen.none(M.PCI_RESOURCES_RELEASED)


def gives_up_the_answer(seen: Seen) -> None:
    exit_ = left_d0(seen)
    closed = seen.posted(CLOSE)
    if not closed:
        raise Nonconforming("the channel was left open", exit_.seq)
    waited_ns = closed[0].at_ns - exit_.at_ns
    if not EXIT_NS <= waited_ns <= EXIT_NS + EXIT_PATIENCE_NS:
        raise Nonconforming(f"it waited {waited_ns} ns for the answer to D0 exit", closed[0].seq)


def released_from_above(seen: Seen) -> None:
    slots = [wslot_of(packet) for packet in seen.sent(M.PCI_RESOURCES_RELEASED)]
    if slots != [SECOND, 0]:
        raise Nonconforming(f"resources were released for slots {slots}")


def comes_up_anew(seen: Seen) -> None:
    names = [packet.name for packet in since(seen.sent(), reopened(seen))]
    due = [M.PCI_QUERY_PROTOCOL_VERSION, M.PCI_BUS_D0ENTRY, seen.dialect.assigned_message]
    places = [names.index(kind.name) if kind.name in names else -1 for kind in due]
    if -1 in places or places != sorted(places):
        raise Nonconforming(f"after it had opened the channel again it sent {', '.join(names)}")


def late_answer_taken(seen: Seen) -> None:
    """The host answered no version query after the bus was opened again."""
    sent = since(seen.sent(), reopened(seen))
    premise(sent, "a version query")
    late = seen.answer_to(sent[0])
    waited = late is not None and late.at_ns - sent[0].at_ns >= EXIT_NS // 2
    premise(waited, "a version query that waits for its answer")
    names = [packet.name for packet in sent]
    if names[:2] != [M.PCI_QUERY_PROTOCOL_VERSION.name, M.PCI_QUERY_BUS_RELATIONS.name]:
        raise Nonconforming(f"after the late answer it had sent {', '.join(names)}")


def mappings_made_anew(seen: Seen) -> None:
    again = reopened(seen)
    assigned = [p for p in since(seen.sent(*ASSIGNED), again) if succeeded(seen, p)]
    premise(assigned, "resources assigned again")
    left = [packet.seq for packet in seen.sent(M.PCI_BUS_D0EXIT)]
    before = len(mappings_until(seen, min((*left, closed_at(seen)))))
    made = len(since(seen.sent(*CREATE), assigned[0].seq))
    if made < before:
        raise Nonconforming(f"of {before} interrupts {made} were created again")


CASES: Final = (
    GuestCase(
        id="d0-entered-once",
        strength="must",
        given="A guest whose D0 entry has succeeded",
        when="it works on",
        then="it does not enter D0 again before it has left it",
        source=ENTER,
        scenario=LIFE,
        check=entered_once,
    ),
    GuestCase(
        id="window-aligned",
        strength="must",
        given="A guest that knows its functions",
        when="it enters D0",
        then="the configuration window is at a page's beginning",
        source="pci-hyperv.c hv_allocate_config_window(); the host intercepts whole pages",
        scenario=LIFE,
        check=window_aligned,
    ),
    GuestCase(
        id="d0-before-resources",
        strength="must",
        given="A guest that knows its functions",
        when="it assigns resources",
        then="D0 entry has been answered",
        source="pci-hyperv.c hv_pci_probe()",
        scenario=LIFE,
        check=resources_in_d0,
    ),
    GuestCase(
        id="d0-before-configuration-space",
        strength="must",
        given="A guest that has not entered D0",
        when="it comes up",
        then="it does not touch configuration space, whose window is not there yet",
        source="pci-hyperv.c hv_pci_probe(); OpenVMM VSP maps the window at D0 entry",
        scenario=LIFE,
        check=window_in_d0,
    ),
    GuestCase(
        id="d0-left-at-unbind",
        strength="must",
        given="A guest at work",
        when="the driver is taken off the bus",
        then="it leaves D0 before it closes the channel",
        source=f"{LEAVE}; a host that finds the bus in D0 refuses the next D0 entry",
        scenario=UNBIND,
        check=exit_before_close,
    ),
    GuestCase(
        id="no-access-after-d0-exit",
        strength="must",
        given="A guest that has left D0",
        when="it lets the bus go",
        then="it does not touch configuration space any more",
        source="OpenVMM VSP unmaps the window at D0 exit",
        scenario=UNBIND,
        check=no_access_after_exit,
    ),
    GuestCase(
        id="channel-closed-at-unbind",
        strength="must",
        given="A guest at work",
        when="the driver is taken off the bus",
        then="it closes the channel",
        source="pci-hyperv.c hv_pci_remove()",
        scenario=UNBIND,
        check=channel_closed,
    ),
    GuestCase(
        id="refused-d0-no-resources",
        strength="must",
        given="A host that refuses D0 again and again",
        when="the guest has tried",
        then="it assigns no resources",
        source=ENTER,
        scenario=refused_d0(4),
        check=no_resources,
    ),
    GuestCase(
        id="comes-up-in-order",
        strength="linux",
        given="A bus that was just offered",
        when="the guest comes up",
        then="it asks for version, list and resources, enters D0, assigns, and creates interrupts",
        source="pci-hyperv.c hv_pci_probe(); OpenVMM's client does without the list",
        scenario=LIFE,
        check=in_order,
    ),
    GuestCase(
        id="d0-entry-of-sixteen-bytes",
        strength="linux",
        given="A guest that knows its functions",
        when="it enters D0",
        then="the message has 16 bytes and wants an answer",
        source=f"{ENTER}; struct pci_bus_d0_entry",
        scenario=LIFE,
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
        id="crash-kernel-starts-over",
        strength="linux",
        given="A guest that has crashed in D0 with its resources assigned",
        when="a crash kernel boots and is refused D0",
        then="it releases the function, leaves D0 and enters it again",
        source=f"{ENTER}; commit c81992e7f4aa",
        scenario=administrator()
        + actor("fate", SETTLED, '{ do = "crash" }', '{ do = "boot" }', after(SETTLED_NS))
        + REFUSES_D0_AGAIN,
        check=starts_over,
    ),
    GuestCase(
        id="refused-d0-tried-again",
        strength="linux",
        given="A host that refuses D0 once, as after a crash",
        when="the guest hears of it",
        then="it releases the function, leaves D0 and enters it again",
        source=f"{ENTER}; commit c81992e7f4aa",
        scenario=refused_d0(1),
        check=released_and_retried,
    ),
    GuestCase(
        id="any-refusal-of-d0-tried-again",
        strength="linux",
        given="A host that refuses D0 once, for another reason than that the bus is in D0",
        when="the guest hears of it",
        then="it releases the function, leaves D0 and enters it again",
        source=f"{ENTER}: any negative status",
        scenario=refused_d0(1, UNSUCCESSFUL),
        check=released_and_retried,
    ),
    GuestCase(
        id="refused-d0-tried-twice",
        strength="linux",
        given="A host that refuses D0 again and again",
        when="the guest has been refused twice",
        then="it tries no more and closes the channel",
        source=ENTER,
        scenario=refused_d0(4),
        check=retried_once,
    ),
    GuestCase(
        id="retry-releases-from-above",
        strength="linux",
        given="A host that refuses D0 once, for a bus with two functions",
        when="the guest hears of it",
        then="it releases both, the higher slot first, before it leaves D0",
        source=f"{ENTER}: wslot_res_allocated; hv_send_resources_released()",
        scenario=TWO + refused_d0(1),
        check=released_before_retry,
    ),
    GuestCase(
        id="retry-waits-ten-seconds",
        strength="linux",
        given="A host that refuses D0 and never answers the D0 exit that follows",
        when="the guest has waited for ten seconds",
        then="it closes the channel and does not enter D0 again",
        source=f"{ENTER}; hv_pci_bus_exit()",
        scenario=administrator(
            do("ignore-next", message="PCI_BUS_D0EXIT"),
            do("fail-next", message="PCI_BUS_D0ENTRY", status=INVALID_DEVICE_STATE),
            after(2 * EXIT_NS),
        ),
        check=no_retry_without_answer,
    ),
    GuestCase(
        id="d0-entry-waited-for",
        strength="linux",
        given="A host that answers D0 entry after a thousand seconds",
        when="the guest waits",
        then="it neither asks again nor closes the channel, and goes on when the answer comes",
        source="pci-hyperv.c wait_for_response()",
        scenario=answered_late("PCI_BUS_D0ENTRY"),
        check=entry_waited_for,
    ),
    GuestCase(
        id="d0-exit-wants-answer",
        strength="linux",
        given="A guest at work",
        when="the driver is taken off the bus",
        then="D0 exit asks for a completion; FreeBSD's does not",
        source=LEAVE,
        scenario=UNBIND,
        check=exit_wants_answer,
    ),
    GuestCase(
        id="channel-closed-when-d0-left",
        strength="linux",
        given="A guest at work",
        when="the driver is taken off the bus",
        then="the channel is closed when D0 exit has been answered",
        source=LEAVE,
        scenario=UNBIND,
        check=closed_when_answered,
    ),
    GuestCase(
        id="unbind-releases-nothing",
        strength="linux",
        given="A guest at work",
        when="the driver is taken off the bus",
        then="no RESOURCES_RELEASED is sent: the functions are forgotten first",
        source=LEAVE,
        scenario=UNBIND,
        check=released_nothing,
    ),
    GuestCase(
        id="unanswered-d0-exit",
        strength="linux",
        given="A host that never answers D0 exit",
        when="the driver is taken off the bus",
        then="the guest waits for ten seconds and closes the channel",
        source=LEAVE,
        scenario=administrator(SETTLED, do("ignore-next", message="PCI_BUS_D0EXIT"))
        + actor("user", SETTLED, after(SETTLED_NS), do("unbind-bus"), after(2 * EXIT_NS)),
        check=gives_up_the_answer,
    ),
    GuestCase(
        id="refused-d0-exit-does-no-harm",
        strength="linux",
        given="A host that answers D0 exit with a failure",
        when="the driver is taken off the bus",
        then="the guest closes the channel at once, as after a success",
        source=f"{LEAVE}: the status is not looked at",
        scenario=administrator(
            SETTLED, do("fail-next", message="PCI_BUS_D0EXIT", status=UNSUCCESSFUL)
        )
        + actor("user", SETTLED, after(SETTLED_NS), do("unbind-bus"), after(SETTLED_NS)),
        check=closed_all_the_same,
    ),
    GuestCase(
        id="late-answer-meets-its-id-again",
        strength="linux",
        given="A guest that has given up waiting for the answer to D0 exit and is back on the bus",
        when="that answer comes while a version query is waiting under the same id",
        then="the query is taken to be answered",
        source="channel.c vmbus_request_addr_match(): an id is all that tells requests apart",
        scenario=administrator(
            SETTLED,
            do("ignore-next", message="PCI_BUS_D0EXIT"),
            after(EXIT_NS),
            do("ignore-next", message="PCI_QUERY_PROTOCOL_VERSION"),
            after(EXIT_NS),
            do("forge-completion", request=1, data="00000000"),
            after(SETTLED_NS),
        )
        + actor("user", SETTLED, after(SETTLED_NS), do("unbind-bus"), do("bind-bus")),
        check=late_answer_taken,
    ),
    GuestCase(
        id="late-answer-to-d0-exit",
        strength="linux",
        given="A guest that has given up waiting for the answer to D0 exit",
        when="the driver is put back on the bus and the host has answered meanwhile",
        then="it comes up as if for the first time",
        source=f"{LEAVE}: vmbus_request_addr_match() takes the id back",
        scenario=administrator(SETTLED, do("stall", ns=EXIT_NS + EXIT_PATIENCE_NS))
        + actor("user", SETTLED, do("unbind-bus"), after(EXIT_NS), do("bind-bus"), after(EXIT_NS)),
        check=comes_up_anew,
    ),
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
