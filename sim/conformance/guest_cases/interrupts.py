# SPDX-License-Identifier: MIT
"""Interrupts: what a guest has created, how it aims it, and when it gives it back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Final

from host.events import EjectSent, InterruptCreated, InterruptDropped, InterruptRaised
from protocol.hypercall import HV_DEVICE_INTERRUPT_TARGET_MULTICAST
from protocol.ids import logical_device_id
from protocol.link import ConfigRead
from protocol.pci_regs import PCI_VENDOR_ID
from protocol.vpci import DELIVERY_MODE_FIXED, RECORDS, MessageType, PciDeleteInterrupt
from sim.conformance.case import FROM_1_2, GuestCase, Nonconforming
from sim.conformance.guest_cases.reading import (
    CREATE,
    DELETE,
    Mapping,
    Retarget,
    mapping_of,
    mappings_until,
    premise,
    retargets,
    since,
)
from sim.conformance.guest_cases.relations import surveyed
from sim.conformance.guest_cases.resources import failing
from sim.conformance.guest_cases.scenarios import ASSIGNED as SETTLED
from sim.conformance.guest_cases.scenarios import (
    LIFE,
    LONG_NS,
    NIC,
    SECOND,
    SETTLED_NS,
    actor,
    administrator,
    after,
    do,
    knobs,
)
from sim.conformance.seen import Seen, SeenPacket
from sim.identity import instance_id

M = MessageType
UNMASK: Final = "pci-hyperv.c hv_arch_irq_unmask()"
COMPOSE: Final = "pci-hyperv.c hv_compose_msi_msg()"
FREE: Final = "pci-hyperv.c hv_int_desc_free()"
ALL_PROCESSORS: Final = (1 << 64) - 1
FIRST_VECTOR, LAST_VECTOR = 0x10, 0xFF  # of a local APIC
BLOCK: Final = 4
THIRD: Final = 3  # a slot
VENDOR_OF_THIRD: Final = (THIRD, PCI_VENDOR_ID, 2)  # slot, offset, bytes
NO_VENDOR: Final = 0xFFFF
LOOKS_MIN: Final = 10  # in 20 ms, at one every 100 us
GRANTED_BYTES: Final = 24  # of an answer with an interrupt in it
SPARSE: Final = """
[guest]
vp_numbers = [0, 5]
""" + administrator(SETTLED)
BEYOND_64: Final = SPARSE.replace("5", "100", 1)
MULTI_MSI: Final = """
[guest]
vcpus = 4

[[device]]
name = "card0"
profile = "multi-msi"
vectors = 4
""" + actor("administrator", do("offer", "card0"), SETTLED)
RAISED: Final = NIC + actor(
    "administrator",
    *(do("offer", "nic0"), SETTLED),
    *(do("interrupt", "nic0", vector=0), do("interrupt", "nic0", vector=1)),
    after(SETTLED_NS),
)
VANISHED: Final = (
    NIC
    + f"slot = {THIRD}\n"
    + NIC.replace("nic0", "nic1")
    + f'bus = "nic0"\nslot = {SECOND}\npresent = false\n'
    + knobs(rescind_after_last=False)
    + actor(
        "administrator",
        do("offer", "nic0"),
        *(do("ignore-next", "nic0", message=message.name) for message in CREATE),
        after(SETTLED_NS),
        '{ do = "relations", device = "nic0", functions = [] }',
        after(SETTLED_NS),
        do("forge-completion", "nic0", request=1, data=bytes(GRANTED_BYTES).hex()),
        after(SETTLED_NS),
        '{ do = "relations", device = "nic0", functions = ["nic1"] }',
        after(LONG_NS),
    )
)
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


def created(seen: Seen) -> Iterator[tuple[SeenPacket, Any]]:
    """Every CREATE with its description of the interrupt."""
    for packet in seen.sent(*CREATE):
        yield packet, _int_desc(packet)


def _int_desc(packet: SeenPacket) -> Any:
    """One of three records, as the message's form has it."""
    record: Any = RECORDS[MessageType[packet.name]].parse(packet.payload)
    return record.int_desc


def processors(int_desc: Any) -> tuple[int, ...]:
    """The processors that a CREATE of 1.2 and later names."""
    return tuple(int_desc.processor_array[: int_desc.processor_count])


def gone_while_polling(seen: Seen) -> None:
    """The vendor id is read at each look: all ones end the looking for that CREATE."""
    asked = seen.sent(*CREATE)
    premise(asked, "creating an interrupt")
    looks = [
        (seq, read.value)
        for seq, read in seen.events(ConfigRead)
        if seq > asked[0].seq and (read.wslot, read.offset, read.size) == VENDOR_OF_THIRD
    ]
    gone = [seq for seq, value in looks if value == NO_VENDOR]
    if len(looks) - len(gone) < LOOKS_MIN or not gone:
        raise Nonconforming(f"it looked at the vendor id {len(looks)} times", asked[0].seq)
    if len(gone) > len(asked):
        raise Nonconforming("it looked again though the function had gone", gone[-1])


def told(seen: Seen, seq: int) -> set[Mapping]:
    """Every mapping that the host had made by then."""
    return {
        (event.address & 0xFFFF_FFFF, event.data + place)
        for at, event in seen.events(InterruptCreated)
        for place in range(event.vector_count)
        if at < seq
    }


def every(
    calls: Callable[[Seen], list[Retarget]], holds: Callable[[Seen, Retarget], bool], what: str
) -> Callable[[Seen], None]:
    """A check that something holds for each of these calls."""

    def check(seen: Seen) -> None:
        for call in calls(seen):
            if not holds(seen, call):
                raise Nonconforming(what, call.seq)

    return check


def aims_at(*vps: int) -> Callable[[Seen], None]:
    """A check that only these processors are aimed at."""
    return every(
        retargets,
        lambda _, call: set(call.vps) <= {*vps},
        f"an interrupt is aimed at a processor that is none of {vps}",
    )


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


def nothing_dropped(seen: Seen) -> None:
    for seq, event in seen.events(InterruptDropped):
        what = f"{event.address:#x} with {event.data:#x}"
        raise Nonconforming(f"the device wrote {what}, which is no interrupt", seq)
    premise(seen.events(InterruptRaised), "an interrupt")


def nothing_deleted_that_was_refused(seen: Seen) -> None:
    for delete in seen.sent(*DELETE):
        if not mapping_of(delete)[0]:
            raise Nonconforming("an interrupt that was refused is deleted", delete.seq)


def deleted_once(seen: Seen) -> None:
    made = [(seq, (e.address & 0xFFFF_FFFF, e.data)) for seq, e in seen.events(InterruptCreated)]
    deleted: Counter[Mapping] = Counter()
    for delete in seen.sent(*DELETE):
        mapping = mapping_of(delete)
        births = sum(each == mapping for seq, each in made if seq < delete.seq)
        deleted[mapping] += 1
        if mapping[0] and deleted[mapping] > births:
            raise Nonconforming(f"{mapping[0]:#x} is deleted, and does not exist", delete.seq)


def deleted_before_giving_up(seen: Seen) -> None:
    asked = seen.events(EjectSent)
    done = seen.sent(M.PCI_EJECTION_COMPLETE)
    premise(asked and done, "an eject that it completes")
    gone = {mapping_of(d) for d in since(seen.sent(*DELETE), asked[0][0]) if d.seq < done[0].seq}
    left = mappings_until(seen, asked[0][0]) - gone
    if left:
        raise Nonconforming(f"{len(left)} interrupts were left behind", done[0].seq)


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


def one_block(seen: Seen) -> None:
    aimed = {call.mapping for call in retargets(seen)}
    premise(len(aimed) > 1, "more than one vector of a multi-MSI device")
    for packet, int_desc in created(seen):
        if int_desc.vector_count != BLOCK:
            count = int_desc.vector_count
            raise Nonconforming(f"{packet.name} asks for {count} of {BLOCK} vectors", packet.seq)


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


def delete_form(seen: Seen) -> None:
    for packet in seen.sent(*DELETE):
        first_form = packet.name == M.PCI_DELETE_INTERRUPT_MESSAGE.name
        size = len(packet.payload)
        if not first_form or packet.flags or size != PciDeleteInterrupt.SIZE:
            told_of = f"{packet.name}, {size} bytes, flags {packet.flags}"
            raise Nonconforming(f"it deletes with {told_of}", packet.seq)


def aimed_at_last(seen: Seen) -> None:
    asked = seen.events(EjectSent)
    premise(asked, "an eject")
    live = mappings_until(seen, asked[0][0])
    aimed = {call.mapping for call in retargets(seen) if not call.status}
    if live - aimed:
        raise Nonconforming(f"{len(live - aimed)} interrupts were never aimed", asked[0][0])


def single_target(seen: Seen) -> None:
    for call in retargets(seen):
        if call.call.int_target.flags & HV_DEVICE_INTERRUPT_TARGET_MULTICAST:
            raise Nonconforming("an interrupt is aimed at several processors at once", call.seq)


def made_again_at_once(seen: Seen) -> None:
    """Of the deletions while it comes up, each is followed by the creation that replaces it."""
    ejected = [seq for seq, _ in seen.events(EjectSent)]
    packets = [packet for packet in seen.sent() if not ejected or packet.seq < ejected[0]]
    creations = {message.name for message in CREATE}
    deletions = {message.name for message in DELETE}
    for packet, following in pairwise(packets):
        if packet.name in deletions and following.name not in creations:
            raise Nonconforming(f"{following.name} follows the deletion", following.seq)


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
        scenario=LIFE,
        check=every(
            retargets,
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
        scenario=LIFE,
        check=every(
            retargets,
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
        id="message-used-as-given",
        strength="must",
        given="A guest that was given messages for its interrupts",
        when="the device raises them",
        then="it writes the address and the data that the host gave",
        source=f"{COMPOSE}; the host knows interrupts by nothing else",
        scenario=RAISED,
        check=nothing_dropped,
    ),
    GuestCase(
        id="refused-interrupt-not-deleted",
        strength="must",
        given="A host that refuses an interrupt",
        when="the guest hears of it",
        then="it does not delete what was never made",
        source="pci-hyperv.c hv_pci_compose_compl()",
        scenario=failing(*CREATE),
        check=nothing_deleted_that_was_refused,
    ),
    GuestCase(
        id="late-answer-for-what-has-gone",
        strength="must",
        given="A function that goes while the guest waits for its interrupt",
        when="the host answers after that, and lists another function",
        then="the guest drops the answer and asks about the other",
        source=f"{COMPOSE}, comment at the end: the request is taken back",
        scenario=VANISHED,
        check=lambda seen: surveyed(seen, SECOND),
    ),
    GuestCase(
        id="poll-ends-when-function-gone",
        strength="linux",
        given="A guest that waits for an interrupt to be created and looks for the answer",
        when="the function goes instead",
        then="the guest, which reads the vendor id at each look, looks no more after all ones",
        source=f"{COMPOSE}: hv_pcifront_get_vendor_id()",
        scenario=VANISHED,
        check=gone_while_polling,
    ),
    GuestCase(
        id="interrupt-deleted-once",
        strength="must",
        given="A guest that has had interrupts created",
        when="it gives one back",
        then="it deletes it once",
        source=f"{FREE}; OpenVMM answers BAD_DATA to the second",
        scenario=LIFE,
        check=deleted_once,
    ),
    GuestCase(
        id="interrupts-deleted-at-eject",
        strength="must",
        given="A guest at work, with interrupts",
        when="it completes an eject",
        then="it has deleted every interrupt of the function",
        source="pci-hyperv.c hv_eject_device_work(), hv_msi_free()",
        scenario=LIFE,
        check=deleted_before_giving_up,
    ),
    GuestCase(
        id="multi-msi-is-one-block",
        strength="must",
        given="A device without MSI-X whose driver takes four vectors",
        when="the guest has them created",
        then="it asks for all of them at once, since the device has one address for all",
        source=f"{COMPOSE}; PCI: multiple message enable",
        scenario=MULTI_MSI,
        check=one_block,
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
        id="create-has-the-version-form",
        strength="linux",
        given="A guest that has agreed on a version",
        when="it has interrupts created",
        then="the message has that version's type and its packed length: 24, 78 or 82 bytes",
        source=COMPOSE,
        scenario=LIFE,
        check=form_of_the_version,
    ),
    GuestCase(
        id="create-names-one-processor",
        strength="linux",
        given="A guest at 1.2 or later",
        when="it has interrupts created",
        then="it names one processor, which unmasking changes",
        source="pci-hyperv.c hv_compose_msi_req_v2(), hv_compose_msi_req_v3()",
        scenario=LIFE,
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
        scenario=LIFE,
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
        scenario=LIFE,
        check=lawful_description,
    ),
    GuestCase(
        id="delete-is-the-first-form",
        strength="linux",
        given="A guest at any version",
        when="it deletes an interrupt",
        then="it uses the first form, and asks for no completion",
        source=FREE,
        scenario=LIFE,
        check=delete_form,
    ),
    GuestCase(
        id="interrupts-aimed-when-unmasked",
        strength="linux",
        given="A guest on x86 at work",
        when="its interrupts are unmasked",
        then="it has aimed each of them by a hypercall",
        source=UNMASK,
        scenario=LIFE,
        check=aimed_at_last,
    ),
    GuestCase(
        id="retarget-aims-at-one",
        strength="linux",
        given="A guest on x86 at work",
        when="it aims an interrupt",
        then="it does not set the multicast flag",
        source=UNMASK,
        scenario=LIFE,
        check=single_target,
    ),
    GuestCase(
        id="interrupt-made-again-at-once",
        strength="linux",
        given="A guest that comes up and has had an interrupt created",
        when="it needs the interrupt for another vector",
        then="it deletes the old one and has the new one created right after that",
        source=COMPOSE,
        scenario=LIFE,
        check=made_again_at_once,
    ),
    GuestCase(
        id="short-interrupt-answer",
        strength="linux",
        given="A host that answers the creation of an interrupt with a status and nothing else",
        when="the guest hears of it",
        then="it takes that for a failure and deletes nothing",
        source="pci-hyperv.c hv_pci_compose_compl()",
        scenario=administrator(
            *(do("answer-next", message=m.name, data="00000000") for m in CREATE),
            after(SETTLED_NS),
        ),
        check=nothing_deleted_that_was_refused,
    ),
    GuestCase(
        id="retarget-has-the-version-form",
        strength="linux",
        given="A guest that has agreed on a version",
        when="it aims an interrupt",
        then="processors are a mask at 1.1 and a sparse set later",
        source=UNMASK,
        scenario=LIFE,
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
