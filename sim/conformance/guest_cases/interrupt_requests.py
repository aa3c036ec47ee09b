# SPDX-License-Identifier: MIT
"""What a guest asks for when it has an interrupt created: form, processors, vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from protocol.vpci import DELIVERY_MODE_FIXED, PciCreateIntResponse
from sim.conformance.case import FROM_1_2, GuestCase, Nonconforming
from sim.conformance.guest_cases.reading import (
    CREATE,
    Mapping,
    created,
    premise,
    processors,
    retargets,
    succeeded,
)
from sim.conformance.guest_cases.scenarios import (
    ARRIVAL,
    SINGLE_MSI,
    SPARSE,
    actor,
    do,
)
from sim.conformance.guest_cases.scenarios import ASSIGNED as SETTLED
from sim.conformance.seen import Seen

COMPOSE: Final = "pci-hyperv.c hv_compose_msi_msg()"
ALL_PROCESSORS: Final = (1 << 64) - 1
FIRST_VECTOR, LAST_VECTOR = 0x10, 0xFF  # of a local APIC
SINGLE_MSI_WORKS: Final = SINGLE_MSI + actor("administrator", do("offer", "card0"), SETTLED)


def names_only(*vps: int) -> Callable[[Seen], None]:
    """A check that CREATE names these processors and no other; 1.1 may name all."""

    def check(seen: Seen) -> None:
        for packet, int_desc in created(seen):
            mask = getattr(int_desc, "cpu_mask", None)
            named = {*processors(int_desc)} if mask is None else set()
            if mask not in (None, ALL_PROCESSORS):
                named = {vp for vp in range(64) if mask >> vp & 1}
            if not named <= {*vps}:
                raise Nonconforming(f"{packet.name} names processors {sorted(named)}", packet.seq)

    return check


def form_of_the_version(seen: Seen) -> None:
    for packet in seen.sent(*CREATE):
        wrong_type = packet.name != seen.dialect.create_message.name
        if wrong_type or len(packet.payload) != seen.dialect.create_interrupt.SIZE:
            raise Nonconforming(f"{packet.name} has {len(packet.payload)} bytes", packet.seq)


def one_processor(seen: Seen) -> None:
    for packet, int_desc in created(seen):
        if int_desc.processor_count != 1:
            count = int_desc.processor_count
            raise Nonconforming(f"{packet.name} names {count} processors", packet.seq)


def all_processors(seen: Seen) -> None:
    for packet, int_desc in created(seen):
        if int_desc.cpu_mask != ALL_PROCESSORS:
            raise Nonconforming(f"it names the mask {int_desc.cpu_mask:#x}", packet.seq)


def lawful_description(seen: Seen) -> None:
    for packet, int_desc in created(seen):
        fixed = int_desc.delivery_mode == DELIVERY_MODE_FIXED
        if not fixed or not FIRST_VECTOR <= int_desc.vector <= LAST_VECTOR:
            told_of = f"vector {int_desc.vector:#x}, mode {int_desc.delivery_mode}"
            raise Nonconforming(f"{packet.name} asks for {told_of}", packet.seq)


def given(seen: Seen) -> Iterator[tuple[int, Mapping, int]]:
    """Each CREATE that succeeded: its place, the mapping it got, and the vector it named."""
    for packet, int_desc in created(seen):
        answer = seen.answer_to(packet)
        if answer is None or len(answer.payload) < PciCreateIntResponse.SIZE:
            continue
        if succeeded(seen, packet):
            got = PciCreateIntResponse.parse(answer.payload).int_desc
            yield packet.seq, (got.address & 0xFFFF_FFFF, got.data), int_desc.vector


def vector_aimed(seen: Seen) -> None:
    """Only the first call after a CREATE: a move changes the vector, and not the message."""
    judged: set[int] = set()
    requests = list(given(seen))
    for call in retargets(seen):
        of_it = [one for one in requests if one[0] < call.seq and one[1] == call.mapping]
        if not of_it or of_it[-1][0] in judged:
            continue
        place, _, named = of_it[-1]
        judged.add(place)
        aimed = call.call.int_target.vector
        if named != aimed:
            raise Nonconforming(f"vector {named:#x} was created, {aimed:#x} aimed", call.seq)
    premise(judged, "aiming an interrupt")


CASES: Final = (
    GuestCase(
        id="create-names-virtual-processors",
        strength="must",
        given="A VM whose second CPU is virtual processor 5",
        when="the guest has interrupts created",
        then="it names virtual processors and not its own CPU numbers",
        source=f"{COMPOSE}: hv_cpu_number_to_vp_number()",
        scenario=SPARSE,
        check=names_only(0, 5),
    ),
    GuestCase(
        id="create-has-the-version-form",
        strength="linux",
        given="A guest that has agreed on a version",
        when="it has interrupts created",
        then="the message has that version's type and its packed length: 24, 78 or 82 bytes",
        source=COMPOSE,
        scenario=ARRIVAL,
        check=form_of_the_version,
    ),
    GuestCase(
        id="create-names-one-processor",
        strength="linux",
        given="A guest at 1.2 or later",
        when="it has interrupts created",
        then="it names one processor, which unmasking changes",
        source="pci-hyperv.c hv_compose_msi_req_v2(), hv_compose_msi_req_v3()",
        scenario=ARRIVAL,
        check=one_processor,
        versions=FROM_1_2,
    ),
    GuestCase(
        id="create-names-all-processors",
        strength="linux",
        given="A guest at 1.1",
        when="it has interrupts created",
        then="it names all processors",
        source="pci-hyperv.c hv_compose_msi_req_v1()",
        scenario=ARRIVAL,
        check=all_processors,
        versions=("1.1",),
    ),
    GuestCase(
        id="create-asks-for-fixed-delivery",
        strength="linux",
        given="A guest on x86",
        when="it has interrupts created",
        then="delivery is fixed and the vector is one of a local APIC",
        source=COMPOSE,
        scenario=ARRIVAL,
        check=lawful_description,
    ),
    GuestCase(
        id="create-names-the-vector-aimed",
        strength="linux",
        given="A guest on x86 whose device has MSI-X",
        when="it has an interrupt created and then aims it for the first time",
        then="both name the same vector, which is the one that the interrupt holds",
        source=f"{COMPOSE}: hv_msi_get_int_vector()",
        scenario=ARRIVAL,
        check=vector_aimed,
    ),
    GuestCase(
        id="single-msi-names-the-vector-aimed",
        strength="linux",
        given="A guest on x86 whose device has MSI, of which its driver takes one vector",
        when="it has the interrupt created and then aims it for the first time",
        then="both name the same vector, which is the one that the interrupt holds",
        source=f"{COMPOSE}: hv_msi_get_int_vector()",
        scenario=SINGLE_MSI_WORKS,
        check=vector_aimed,
    ),
)
