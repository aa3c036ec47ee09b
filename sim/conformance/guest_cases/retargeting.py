# SPDX-License-Identifier: MIT
"""Aiming interrupts at processors by hypercall: which, in which form, and when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from host.events import InterruptCreated
from protocol.hypercall import HV_DEVICE_INTERRUPT_TARGET_MULTICAST
from protocol.ids import logical_device_id
from sim.conformance.case import FROM_1_2, GuestCase, Nonconforming
from sim.conformance.guest_cases.reading import (
    Mapping,
    Retarget,
    created,
    mappings_until,
    premise,
    processors,
    retargets,
)
from sim.conformance.guest_cases.scenarios import (
    ARRIVAL,
    NIC,
    SETTLED_NS,
    SPARSE,
    actor,
    after,
    do,
)
from sim.conformance.guest_cases.scenarios import ASSIGNED as SETTLED
from sim.conformance.seen import Seen
from sim.identity import instance_id

UNMASK: Final = "pci-hyperv.c hv_arch_irq_unmask()"
BEYOND_64: Final = SPARSE.replace("5", "100", 1)
MOVED: Final = (
    NIC
    + actor("administrator", do("offer", "nic0"))
    + actor(
        "user",
        SETTLED,
        '{ do = "set-affinity", device = "nic0", vector = 0, cpus = [1] }',
        do("interrupt", "nic0"),
        after(SETTLED_NS),
    )
)


def told(seen: Seen, seq: int) -> set[Mapping]:
    """Every mapping that the host had made by then."""
    return {
        (event.address & 0xFFFF_FFFF, event.data + place)
        for at, event in seen.events(InterruptCreated)
        for place in range(event.vector_count)
        if at < seq
    }


def every(holds: Callable[[Seen, Retarget], bool], what: str) -> Callable[[Seen], None]:
    """A check that something holds for each call."""

    def check(seen: Seen) -> None:
        for call in retargets(seen):
            if not holds(seen, call):
                raise Nonconforming(what, call.seq)

    return check


def aims_at(*vps: int) -> Callable[[Seen], None]:
    """A check that only these processors are aimed at."""
    return every(
        lambda _, call: set(call.vps) <= {*vps},
        f"an interrupt is aimed at a processor that is none of {vps}",
    )


def aimed_there(seen: Seen) -> None:
    """The host knows of VP 1 at the end: by a retarget, or because the mapping is a new one."""
    reaching = [call.seq for call in retargets(seen) if call.vps == (1,)]
    naming = [packet.seq for packet, int_desc in created(seen) if _names(int_desc, 1)]
    moved = [s.seq for s in seen.trace if s.at_ns > SETTLED_NS]
    premise(moved, "the move")
    if not any(seq >= moved[0] for seq in (*reaching, *naming)):
        raise Nonconforming("the host never heard of the new processor")


def _names(int_desc: Any, vp: int) -> bool:
    return hasattr(int_desc, "processor_array") and processors(int_desc) == (vp,)


def aimed_at_last(seen: Seen) -> None:
    live = mappings_until(seen, len(seen.trace))
    premise(live, "an interrupt")
    aimed = {call.mapping for call in retargets(seen) if not call.status}
    if live - aimed:
        raise Nonconforming(f"{len(live - aimed)} interrupts were never aimed")


def single_target(seen: Seen) -> None:
    for call in retargets(seen):
        if call.call.int_target.flags & HV_DEVICE_INTERRUPT_TARGET_MULTICAST:
            raise Nonconforming("an interrupt is aimed at several processors at once", call.seq)


def retarget_form(seen: Seen) -> None:
    for call in retargets(seen):
        if bool(call.call.int_target.set_words) != seen.dialect.retarget_by_vp_set:
            raise Nonconforming("the processors are named in another form", call.seq)


CASES: Final = (
    GuestCase(
        id="retarget-names-an-interrupt",
        strength="must",
        given="A guest that has had interrupts created",
        when="it aims one at a processor",
        then="it names the address and the data that the host made for it",
        source=f"{UNMASK}; OpenVMM answers InvalidParameter to others",
        scenario=ARRIVAL,
        check=every(
            lambda seen, call: call.mapping in told(seen, call.seq),
            "an interrupt is aimed that does not exist",
        ),
    ),
    GuestCase(
        id="retarget-names-the-function",
        strength="must",
        given="A guest that has had interrupts created",
        when="it aims one at a processor",
        then="the device id is made of the bus's instance id and the function's number",
        source=f"{UNMASK}; OpenVMM device_builder",
        scenario=ARRIVAL,
        check=every(
            lambda _, call: call.call.device_id == logical_device_id(instance_id("nvme0")),
            "the device id is another one's",
        ),
    ),
    GuestCase(
        id="retarget-names-virtual-processors",
        strength="must",
        given="A VM whose second CPU is virtual processor 5",
        when="the guest aims interrupts",
        then="it names virtual processors and not its own CPU numbers",
        source=f"{UNMASK}: hv_cpu_number_to_vp_number()",
        scenario=SPARSE,
        check=aims_at(0, 5),
    ),
    GuestCase(
        id="move-is-told",
        strength="must",
        given="A guest at work, with interrupts",
        when="somebody moves one to another processor",
        then="the host hears of it",
        source=UNMASK,
        scenario=MOVED,
        check=aimed_there,
    ),
    GuestCase(
        id="interrupts-aimed-when-unmasked",
        strength="linux",
        given="A guest on x86 at work",
        when="its interrupts are unmasked",
        then="it has aimed each of them by a hypercall",
        source=UNMASK,
        scenario=ARRIVAL,
        check=aimed_at_last,
    ),
    GuestCase(
        id="retarget-aims-at-one",
        strength="linux",
        given="A guest on x86 at work",
        when="it aims an interrupt",
        then="it does not set the multicast flag",
        source=UNMASK,
        scenario=ARRIVAL,
        check=single_target,
    ),
    GuestCase(
        id="retarget-has-the-version-form",
        strength="linux",
        given="A guest that has agreed on a version",
        when="it aims an interrupt",
        then="processors are a mask at 1.1 and a sparse set later",
        source=UNMASK,
        scenario=ARRIVAL,
        check=retarget_form,
    ),
    GuestCase(
        id="processors-beyond-64",
        strength="linux",
        given="A VM whose second CPU is virtual processor 100",
        when="the guest aims interrupts at it",
        then="it names bank 1 of the set, and bank 0 before it",
        source="cpumask_to_vpset()",
        scenario=BEYOND_64,
        check=aims_at(0, 100),
        versions=FROM_1_2,
    ),
)
