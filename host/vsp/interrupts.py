# SPDX-License-Identifier: MIT
"""Interrupt blocks: the three request forms become one, created and deleted through effects."""

from collections.abc import Callable, Mapping
from typing import Final

from msgspec.structs import replace

from host.effects import (
    CreateInterrupts,
    DeleteInterrupt,
    InterruptEntry,
    InterruptRequest,
    Report,
)
from host.events import InterruptCreated, InterruptDeleted
from host.vp_sets import vps_of_mask
from host.vsp.inputs import InterruptsCreated, PacketReceived
from host.vsp.leftovers import delete_orphans
from host.vsp.replies import (
    UNKNOWN_SLOT,
    complete_ticket,
    refuse,
    refuse_bad,
    reply,
    reply_status,
    status_payload,
    ticket_for,
)
from host.vsp.rules import Outcome, Rules
from host.vsp.state import ASSIGNED_PHASES, FunctionState, VspState, find, with_function
from protocol.ids import VpIndex
from protocol.openvmm import OvMsiResourceDescriptor2, OvMsiResourceDescriptor3
from protocol.status import STATUS_SUCCESS
from protocol.vpci import (
    HvMsiDesc2,
    HvMsiDesc3,
    PciCreateInterrupt,
    PciCreateInterrupt2,
    PciCreateInterrupt3,
    PciCreateIntResponse,
    PciDeleteInterrupt,
    TranIntDesc,
    message_type,
)

Targets = tuple[VpIndex, ...] | None
# The list forms, Linux's and OpenVMM's: their fields have the same names.
Listed = HvMsiDesc2 | HvMsiDesc3 | OvMsiResourceDescriptor2 | OvMsiResourceDescriptor3

ALL_PROCESSORS: Final = (1 << 64) - 1  # CPU_AFFINITY_ALL: -1ULL
MAX_DELIVERY_MODE: Final = 1  # fixed 0, lowest priority 1
NO_ENTRY: Final = InterruptEntry(0, 0, 0)
# By the knob told_mappings: what the guest is told of an entry; the other one lies in its memory.
_TOLD: Final[Mapping[str, Callable[[InterruptEntry], InterruptEntry]]] = {
    "true": lambda entry: entry,
    "forged": lambda _: InterruptEntry(0x10_0000, 0xBAD, 1),
}


class RecordFault(Exception):
    """A record that names more processors than it has room for."""


def create_interrupt(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """Version 1.1's form: processors as a 64-bit mask."""
    message = PciCreateInterrupt.parse(packet.payload)
    descriptor = message.int_desc
    targets = masked_targets(rules, descriptor.cpu_mask)
    request = InterruptRequest(
        descriptor.vector, descriptor.vector_count, descriptor.delivery_mode, targets
    )
    return create(rules, state, packet, message.wslot, request)


def create_interrupt2(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """From 1.2: a list of at most 32 processors."""
    message = PciCreateInterrupt2.parse(packet.payload)
    return create_listed(rules, state, packet, message.wslot, message.int_desc)


def create_interrupt3(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """From 1.4: the same with a 32-bit vector."""
    message = PciCreateInterrupt3.parse(packet.payload)
    return create_listed(rules, state, packet, message.wslot, message.int_desc)


def create_listed(
    rules: Rules, state: VspState, packet: PacketReceived, wslot: int, descriptor: Listed
) -> Outcome:
    """:func:`create` for a descriptor with a list; one that lies about its length is refused."""
    try:
        request = listed_request(descriptor)
    except RecordFault as fault:
        return refuse_bad(rules, state, packet, str(fault))
    return create(rules, state, packet, wslot, request)


def masked_targets(rules: Rules, mask: int) -> Targets:
    """The processors of a 64-bit mask; None for "any", where the host takes all ones so."""
    if mask == ALL_PROCESSORS and rules.knobs.all_processors_mask:
        return None
    return vps_of_mask(mask)


def listed_request(descriptor: Listed) -> InterruptRequest:
    """A descriptor with a list. Raises RecordFault if it names more processors than it holds."""
    count, processors = descriptor.processor_count, descriptor.processor_array
    if count > len(processors):
        raise RecordFault(f"{count} processors")
    targets = tuple(VpIndex(processor) for processor in processors[:count])
    return InterruptRequest(
        descriptor.vector, descriptor.vector_count, descriptor.delivery_mode, targets
    )


def create(
    rules: Rules, state: VspState, packet: PacketReceived, wslot: int, request: InterruptRequest
) -> Outcome:
    """Check a request and hand it to the hypervisor; the reply waits for its result."""
    function = find(state, wslot)
    if function is None:
        return refuse_bad(rules, state, packet, UNKNOWN_SLOT)
    knobs = rules.knobs
    if knobs.interrupts_need_resources and function.phase not in ASSIGNED_PHASES:
        status = knobs.out_of_order_status
        return refuse(rules, state, packet, status, "resources are not assigned")
    fault = request_fault(rules, function, request)
    if fault is not None:
        return refuse_bad(rules, state, packet, fault)
    if request.vector_count == 0:
        return state, reply(packet, _created(NO_ENTRY))
    ticket = ticket_for(message_type(packet.payload), packet)
    return state, (CreateInterrupts(function.facts.wslot, (request,), ticket),)


def request_fault(rules: Rules, function: FunctionState, request: InterruptRequest) -> str | None:
    """Say what is wrong with a request, None if it may go to the hypervisor."""
    knobs = rules.knobs
    if request.delivery_mode > MAX_DELIVERY_MODE:
        return f"delivery mode {request.delivery_mode}"
    if request.vector_count > knobs.max_vectors:
        return f"{request.vector_count} vectors"
    if request.targets is not None and len(request.targets) > knobs.max_processors:
        return f"{len(request.targets)} processors"
    if request.vector_count == 0:
        return None if knobs.zero_vectors_accepted else "no vectors"
    if request.targets == ():
        return "no processors"
    if len(function.interrupts) >= knobs.max_interrupts:
        return f"{knobs.max_interrupts} interrupts are live"
    return None


def interrupts_created(rules: Rules, state: VspState, result: InterruptsCreated) -> Outcome:
    """The hypervisor answered a single request: tell the guest, remember the entry."""
    function = find(state, result.wslot)
    if function is None:
        return delete_orphans(rules, state, result)
    if result.status:
        return state, complete_ticket(result.ticket, status_payload(result.status))
    entry = result.entries[0]
    kept = with_function(state, replace(function, interrupts=(*function.interrupts, entry)))
    event = InterruptCreated(rules.bus, result.wslot, entry.address, entry.data, entry.vector_count)
    told = _TOLD[rules.knobs.told_mappings](entry)
    return kept, (Report(event), *complete_ticket(result.ticket, _created(told)))


def _created(entry: InterruptEntry) -> bytes:
    descriptor = TranIntDesc(0, entry.vector_count, entry.data, entry.address)
    return PciCreateIntResponse(STATUS_SUCCESS, 0, descriptor).build()


def delete_interrupt(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """Delete by (address, data); the count is ignored. Linux asks for no completion."""
    message = PciDeleteInterrupt.parse(packet.payload)
    function = find(state, message.wslot)
    if function is None:
        return refuse_bad(rules, state, packet, UNKNOWN_SLOT)
    address, data = message.int_desc.address, message.int_desc.data
    left = tuple(e for e in function.interrupts if (e.address, e.data) != (address, data))
    if len(left) == len(function.interrupts):
        return refuse_bad(rules, state, packet, "no such interrupt")
    deleted = with_function(state, replace(function, interrupts=left))
    slot = function.facts.wslot
    event = Report(InterruptDeleted(rules.bus, slot, address, data))
    done = reply_status(packet, STATUS_SUCCESS)
    return deleted, (DeleteInterrupt(slot, address, data), event, *done)
