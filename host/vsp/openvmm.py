# SPDX-License-Identifier: MIT
"""Handlers only OpenVMM's VSP has: whole resource lists, device power, and a worker that dies.

Follows ``vpci/src/device.rs`` at 1488a37b. It keeps no power or resource state: once a version is
agreed every known request is served in any order.
"""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from host.effects import (
    CreateInterrupts,
    Effect,
    ReadResources,
    Report,
    SetBars,
    SetMemoryDecoding,
    StopWorker,
    UnmapConfigWindow,
)
from host.events import InterruptCreated, ResourcesAssigned, WorkerStopped
from host.vsp.descriptors import (
    BAR_COUNT,
    BarFault,
    Resource,
    bars_of,
    descriptor_of,
    resource_of,
    resources_of,
)
from host.vsp.inputs import ChannelClosed, InterruptsCreated, PacketReceived, ResourcesRead
from host.vsp.interrupts import RecordFault, interrupts_created, request_fault
from host.vsp.openvmm_interrupts import records_of, remapped_records
from host.vsp.replies import (
    UNKNOWN_SLOT,
    complete_ticket,
    refuse_bad,
    refuse_unsupported,
    reply_status,
    status_payload,
    ticket_for,
)
from host.vsp.resources import give_back, set_power
from host.vsp.rules import Outcome, Rules
from host.vsp.state import (
    FUNCTION_MOVES,
    FunctionMove,
    FunctionState,
    Phase,
    VspState,
    find,
    with_function,
)
from protocol.openvmm import (
    OvDevicePowerChange,
    OvDeviceTranslate,
    OvDeviceTranslateReply,
    OvGetResources,
    OvPartialResourceList,
    OvPdoMessage,
    OvVpciTdispCommandHeader,
)
from protocol.status import STATUS_SUCCESS
from protocol.vpci import MessageType

MAX_RECORDS: Final = 494  # MAX_SUPPORTED_INTERRUPT_MESSAGES
NO_BARS: Final = (0, 0, 0, 0, 0, 0)
NO_RESOURCES: Final[tuple[Resource, ...]] = ((0, 0),) * BAR_COUNT


# The worker


def stop(rules: Rules, state: VspState, _packet: PacketReceived, reason: str) -> Outcome:
    """The worker dies: nothing is answered, nothing is rescinded, the guest waits for ever."""
    stopped = Report(WorkerStopped(rules.bus, reason))
    return replace(state, phase=Phase.STOPPED), (StopWorker(reason), stopped)


def stop_out_of_order(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """Anything before a version is agreed, or a second version query after it."""
    return stop(rules, state, packet, "unexpected packet order")


def close_channel(rules: Rules, state: VspState, _input: ChannelClosed) -> Outcome:
    """Release everything, then unmap (openvmm PR 1722); a reopened channel starts afresh."""
    effects: list[Effect] = []
    functions = tuple(_release_all(rules, function, effects) for function in state.functions)
    effects.append(UnmapConfigWindow())
    closed = VspState(phase=Phase.CLOSED, functions=functions, faults=state.faults)
    return closed, tuple(effects)


# Resources


def assign_resources(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """Write all six base registers, 0 where no resource is named, then map the interrupts.

    A list with a fault in it is refused before any effect; an interrupt the mapper refuses is
    not: registers and earlier interrupts stay.
    """
    message = OvDeviceTranslate.parse(packet.payload)
    count = message.msi_resource_count
    if count > MAX_RECORDS:
        return refuse_bad(rules, state, packet, f"{count} interrupt records")
    function = find(state, message.slot)
    if function is None:
        return refuse_bad(rules, state, packet, UNKNOWN_SLOT)
    try:
        requests = records_of(rules, message.message_type, packet.payload, count)
        resources = tuple(resource_of(descriptor) for descriptor in message.mmio_resources)
        bars = bars_of(resources, function.facts.probed_bars)
    except (RecordFault, BarFault) as fault:
        return refuse_bad(rules, state, packet, str(fault))
    for request in requests:
        reason = request_fault(rules, function, request)
        if reason is not None:
            return refuse_bad(rules, state, packet, reason)
    slot = function.facts.wslot
    phase = FUNCTION_MOVES[function.phase, FunctionMove.ASSIGN]
    assigned = with_function(state, replace(function, phase=phase, resources_set=True))
    ticket = ticket_for(message.message_type, packet, _translated(message, resources))
    written = (SetBars(slot, bars), Report(ResourcesAssigned(rules.bus, slot)))
    if requests:
        return assigned, (*written, CreateInterrupts(slot, requests, ticket))
    return assigned, (*written, *complete_ticket(ticket, ticket.echo))


def _translated(message: OvDeviceTranslate, resources: tuple[Resource, ...]) -> bytes:
    return OvDeviceTranslateReply(
        status=STATUS_SUCCESS,
        slot=message.slot,
        mmio_resources=tuple(descriptor_of(resource) for resource in resources),
        msi_resource_count=message.msi_resource_count,
    ).build()


def resources_mapped(rules: Rules, state: VspState, result: InterruptsCreated) -> Outcome:
    """Answer with the translated list; on a failure with BAD_DATA, keeping what was made."""
    function = find(state, result.wslot)
    if function is None:
        return state, ()
    kept = replace(function, interrupts=(*function.interrupts, *result.entries))
    made = tuple(
        Report(InterruptCreated(rules.bus, result.wslot, e.address, e.data, e.vector_count))
        for e in result.entries
    )
    if result.status:
        answer = status_payload(result.status)
    else:
        answer = result.ticket.echo + remapped_records(result.ticket.message_type, result.entries)
    return with_function(state, kept), (*made, *complete_ticket(result.ticket, answer))


def release_resources(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """Decoding off, interrupts gone, base registers zero, resources unset again."""
    function = find(state, OvPdoMessage.parse(packet.payload).slot)
    if function is None:
        return refuse_bad(rules, state, packet, UNKNOWN_SLOT)
    effects: list[Effect] = []
    released = _release_all(rules, function, effects)
    return with_function(state, released), (*effects, *reply_status(packet, STATUS_SUCCESS))


def _release_all(rules: Rules, function: FunctionState, effects: list[Effect]) -> FunctionState:
    slot = function.facts.wslot
    released = give_back(rules, function, effects)
    effects += (SetMemoryDecoding(slot, enabled=False), SetBars(slot, NO_BARS))
    return released


def get_resources(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """The current base registers as a list; empty before ASSIGNED_RESOURCES."""
    message = OvGetResources.parse(packet.payload)
    function = find(state, message.slot)
    if function is None:
        return refuse_bad(rules, state, packet, UNKNOWN_SLOT)
    ticket = ticket_for(message.message_type, packet)
    if function.resources_set:
        return state, (ReadResources(function.facts.wslot, ticket),)
    return state, complete_ticket(ticket, _resource_list(NO_RESOURCES))


def resources_read(_rules: Rules, state: VspState, result: ResourcesRead) -> Outcome:
    """Answer with the list; this reply has no status word."""
    function = find(state, result.wslot)
    if function is None:
        return state, ()
    resources = resources_of(result.bars, function.facts.probed_bars)
    return state, complete_ticket(result.ticket, _resource_list(resources))


def _resource_list(resources: tuple[Resource, ...]) -> bytes:
    descriptors = tuple(descriptor_of(resource) for resource in resources)
    return OvPartialResourceList(1, 1, BAR_COUNT, descriptors).build()


_RESULT_OF: Final[dict[int, Callable[[Rules, VspState, InterruptsCreated], Outcome]]] = {
    MessageType.PCI_RESOURCES_ASSIGNED: resources_mapped,
    MessageType.PCI_RESOURCES_ASSIGNED2: resources_mapped,
    MessageType.PCI_RESOURCES_ASSIGNED3: resources_mapped,
    MessageType.PCI_CREATE_INTERRUPT_MESSAGE: interrupts_created,
    MessageType.PCI_CREATE_INTERRUPT_MESSAGE2: interrupts_created,
    MessageType.PCI_CREATE_INTERRUPT_MESSAGE3: interrupts_created,
}


def created_or_mapped(rules: Rules, state: VspState, result: InterruptsCreated) -> Outcome:
    """Entries were made for a single request or for a resource list: each has its own reply."""
    return _RESULT_OF[result.ticket.message_type](rules, state, result)


# Power and the rest


def change_power(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """D0 turns memory decoding on, D3 off; other states are BAD_DATA. The reply is a status."""
    message = OvDevicePowerChange.parse(packet.payload)
    done = reply_status(packet, STATUS_SUCCESS)
    return set_power(rules, state, packet, message.slot, message.target_state, done)


def reset(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """Not supported, at 1.5 and 1.6 either; an unknown slot is BAD_DATA first."""
    if find(state, OvPdoMessage.parse(packet.payload).slot) is None:
        return refuse_bad(rules, state, packet, UNKNOWN_SLOT)
    return refuse_unsupported(rules, state, packet)


def tdisp(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """Model: no device here speaks TDISP, and its protobuf is not looked into."""
    if find(state, OvVpciTdispCommandHeader.parse(packet.payload).slot) is None:
        return refuse_bad(rules, state, packet, UNKNOWN_SLOT)
    return refuse_unsupported(rules, state, packet)
