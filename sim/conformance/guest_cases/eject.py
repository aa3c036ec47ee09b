# SPDX-License-Identifier: MIT
"""The host asks for a function back: what a guest answers, and what it leaves alone."""

from __future__ import annotations

from typing import Final

from host.events import EjectSent
from protocol.link import BarRead, BarWritten, ConfigRead, ConfigWritten
from protocol.vpci import MessageType, PciDevIncoming, PciEjectResponse
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.reading import DELETE, premise, since, wslot_of
from sim.conformance.guest_cases.scenarios import (
    ASSIGNED,
    LIFE,
    LONG_NS,
    PATIENT,
    SECOND,
    SETTLED_NS,
    TWO_EJECT_ONE,
    administrator,
    after,
    do,
    forge,
    knobs,
    wait,
)
from sim.conformance.seen import Seen, SeenPacket

M = MessageType
GRACE_NS: Final = 60_000_000_000
NOBODYS_SLOT: Final = 7
IDLE: Final = """
[[device]]
name = "nvme0"
profile = "nvme-ssd"
driver = "none"
"""
REGISTERS: Final = (ConfigRead, ConfigWritten, BarRead, BarWritten)
WORK: Final = "pci-hyperv.c hv_eject_device_work()"


def completions(seen: Seen) -> list[SeenPacket]:
    return seen.sent(M.PCI_EJECTION_COMPLETE)


def completed(seen: Seen) -> SeenPacket:
    """The first EJECTION_COMPLETE."""
    premise(completions(seen), "completing an eject")
    return completions(seen)[0]


def in_time(seen: Seen) -> None:
    asked = seen.told(M.PCI_EJECT)
    premise(asked, "an eject")
    done = completions(seen)
    if not done or done[0].at_ns - asked[0].at_ns > GRACE_NS:
        at = done[0].seq if done else asked[0].seq
        raise Nonconforming("no EJECTION_COMPLETE was sent within 60 s", at)


def answered(seen: Seen) -> None:
    asked = seen.told(M.PCI_EJECT)
    premise(asked, "an eject")
    if not completions(seen):
        raise Nonconforming("no EJECTION_COMPLETE was sent", asked[0].seq)


def at_most_once(seen: Seen) -> None:
    again = completions(seen)[1:]
    if again:
        raise Nonconforming("EJECTION_COMPLETE was sent again", again[0].seq)


def names_its_slot(seen: Seen) -> None:
    done = completed(seen)
    if wslot_of(done) != SECOND:
        raise Nonconforming(f"it names slot {wslot_of(done)}, not {SECOND}", done.seq)


def left_alone(seen: Seen) -> None:
    done = completed(seen)
    for stamped in seen.trace[done.seq :]:
        event = stamped.event
        if isinstance(event, REGISTERS) and event.wslot == wslot_of(done):
            raise Nonconforming("its registers were touched after it was given up", stamped.seq)


def nobody_given_up(seen: Seen) -> None:
    for packet in completions(seen):
        if wslot_of(packet) == NOBODYS_SLOT:
            raise Nonconforming("a function that does not exist is given up", packet.seq)


def sibling_kept(seen: Seen) -> None:
    asked = seen.events(EjectSent)
    premise(asked, "an eject")
    for packet in since(seen.sent(*DELETE, M.PCI_RESOURCES_RELEASED), asked[0][0]):
        if wslot_of(packet) == 0:
            raise Nonconforming(f"{packet.name} concerns the other function", packet.seq)


def twelve_bytes(seen: Seen) -> None:
    done = completed(seen)
    status = PciEjectResponse.parse(done.payload).status if len(done.payload) == 12 else None
    if status or done.flags or len(done.payload) != PciEjectResponse.SIZE:
        raise Nonconforming(f"it has {len(done.payload)} bytes, flags {done.flags}", done.seq)


def released_nothing(seen: Seen) -> None:
    seen.none(M.PCI_RESOURCES_RELEASED, M.PCI_BUS_D0EXIT)


def how_often(seen: Seen) -> None:
    raise Nonconforming(f"it sent {len(completions(seen))} EJECTION_COMPLETE")


CASES: Final = (
    GuestCase(
        id="eject-answered-in-time",
        strength="must",
        given="A guest at work",
        when="the host asks for its function",
        then="it sends EJECTION_COMPLETE within 60 s, before the host uses force",
        source=f"{WORK}, comment",
        scenario=LIFE,
        check=in_time,
    ),
    GuestCase(
        id="eject-while-coming-up",
        strength="must",
        given="A guest that has assigned a function's resources and has not come up yet",
        when="the host asks for the function",
        then="it sends EJECTION_COMPLETE all the same, once it has come up",
        source=f"{WORK} waits for state_lock, which probe holds",
        scenario=PATIENT
        + administrator(wait("resources-assigned", after_ns=0), do("eject"), after(LONG_NS)),
        check=answered,
    ),
    GuestCase(
        id="idle-function-given-up",
        strength="must",
        given="A function that no driver uses",
        when="the host asks for it",
        then="the guest sends EJECTION_COMPLETE, as for one at work",
        source=f"{WORK}; OpenVMM's client answers for such a one at once",
        scenario=IDLE + PATIENT + administrator(ASSIGNED, do("eject"), after(LONG_NS)),
        check=answered,
    ),
    GuestCase(
        id="eject-completed-once",
        strength="must",
        given="A guest that was asked for a function",
        when="it has sent EJECTION_COMPLETE",
        then="it does not send it again",
        source=WORK,
        scenario=LIFE,
        check=at_most_once,
    ),
    GuestCase(
        id="eject-names-its-slot",
        strength="must",
        given="A bus with two functions",
        when="the host asks for the second",
        then="EJECTION_COMPLETE names the second",
        source=WORK,
        scenario=TWO_EJECT_ONE,
        check=names_its_slot,
    ),
    GuestCase(
        id="ejected-function-left-alone",
        strength="must",
        given="A guest that was asked for a function",
        when="it has sent EJECTION_COMPLETE",
        then="it does not touch the function's registers any more, which are gone",
        source=f"{WORK}; openvmm issue 3077 is the reverse",
        scenario=LIFE,
        check=left_alone,
    ),
    GuestCase(
        id="unknown-slot-not-given-up",
        strength="must",
        given="A guest at work",
        when="the host asks for a function in a slot that has none",
        then="the guest completes nothing",
        source="pci-hyperv.c hv_pci_onchannelcallback()",
        scenario=administrator(
            ASSIGNED, forge(PciDevIncoming(wslot=NOBODYS_SLOT).build()), after(SETTLED_NS)
        ),
        check=nobody_given_up,
    ),
    GuestCase(
        id="eject-spares-the-other",
        strength="must",
        given="A bus with two functions at work",
        when="the host asks for the second",
        then="the first keeps its interrupts and its resources",
        source=WORK,
        scenario=TWO_EJECT_ONE,
        check=sibling_kept,
    ),
    GuestCase(
        id="eject-completed-in-twelve-bytes",
        strength="linux",
        given="A guest that was asked for a function",
        when="it sends EJECTION_COMPLETE",
        then="that has a slot and the status 0, and asks for no completion; OpenVMM's has 8 bytes",
        source="pci-hyperv.c struct pci_eject_response",
        scenario=LIFE,
        check=twelve_bytes,
    ),
    GuestCase(
        id="eject-releases-nothing",
        strength="linux",
        given="A guest that was asked for its only function",
        when="it gives it up",
        then="it sends neither RESOURCES_RELEASED nor D0 exit",
        source=WORK,
        scenario=LIFE,
        check=released_nothing,
    ),
    GuestCase(
        id="eject-then-list",
        strength="linux",
        given="A host that sends a list without the function right behind EJECT",
        when="the guest has dealt with both",
        then="it has sent one EJECTION_COMPLETE at most",
        source="pci-hyperv.c: both works take state_lock",
        scenario=knobs(list_omits_ejecting=True)
        + administrator(ASSIGNED, do("eject"), after(SETTLED_NS)),
        check=at_most_once,
    ),
    GuestCase(
        id="eject-sent-twice",
        strength="unknown",
        given="A host that sends each EJECT twice",
        when="the guest has dealt with both",
        then="OpenVMM's client completes one; Linux has no guard",
        source="OpenVMM vpci_client; pci-hyperv.c hv_pci_eject_device()",
        scenario=knobs(repeat_eject=True, eject_timeout_ns=2 * LONG_NS)
        + administrator(ASSIGNED, do("eject"), after(SETTLED_NS)),
        check=how_often,
    ),
    GuestCase(
        id="eject-before-resources",
        strength="unknown",
        given="A guest that has just heard of a function",
        when="the host asks for it before its resources are assigned",
        then="Linux ignores what it has not linked yet",
        source="pci-hyperv.c hv_pci_onchannelcallback()",
        scenario=knobs(eject_before_resources_assigned=True, eject_timeout_ns=2 * LONG_NS)
        + administrator(wait("bus-relations-sent", after_ns=0), do("eject"), after(SETTLED_NS)),
        check=how_often,
    ),
)
