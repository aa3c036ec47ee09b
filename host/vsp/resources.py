# SPDX-License-Identifier: MIT
"""Resource requirements, resources assigned and released, and the power of one function."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from msgspec.structs import replace

from host.effects import DeleteInterrupt, Effect, Report, SetMemoryDecoding
from host.events import PowerStateChanged, ResourcesAssigned, ResourcesReleased
from host.vsp.inputs import PacketReceived
from host.vsp.replies import UNKNOWN_SLOT, refuse_bad, reply, reply_status
from host.vsp.rules import Outcome, Rules
from host.vsp.state import (
    ASSIGNED_PHASES,
    FUNCTION_MOVES,
    FunctionMove,
    FunctionState,
    VspState,
    find,
    with_function,
)
from protocol.pci_regs import PCI_BASE_ADDRESS_MEM_TYPE_64, PCI_BASE_ADDRESS_SPACE_IO
from protocol.status import STATUS_SUCCESS
from protocol.vpci import (
    POWER_STATE_D0,
    POWER_STATE_D3,
    MessageType,
    PciChildMessage,
    PciQResReqResponse,
    PciResourcesAssigned,
    PciResourcesAssigned2,
    PciSetPower,
    PciSetPowerResponse,
)

_Words: TypeAlias = tuple[int, ...]
_WIDE: Final = PCI_BASE_ADDRESS_MEM_TYPE_64
# By the knob told_bars: what is said of six words, from what they are.
_TOLD: Final[Mapping[str, Callable[[_Words], _Words]]] = {
    "true": lambda words: words,
    "wide-last": lambda words: (*words[:-1], _WIDE),
    "io": lambda words: (words[0] | PCI_BASE_ADDRESS_SPACE_IO, *words[1:]),
    "odd": lambda words: (0xFFFF_5000 | words[0] & _WIDE, *words[1:]),
    "overflowing": lambda _: (_WIDE, 1 << 31, _WIDE, 1 << 31, 0, 0),
    "huge": lambda _: (_WIDE, 1 << 30 | 1 << 31, 0, 0, 0, 0),
}


def requirements(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """Answer what the base registers read back after all ones, as probed before the offer."""
    function = find(state, PciChildMessage.parse(packet.payload).wslot)
    if function is None:
        return refuse_bad(rules, state, packet, UNKNOWN_SLOT)
    probed = _TOLD[rules.knobs.told_bars](function.facts.probed_bars)
    answer = PciQResReqResponse(STATUS_SUCCESS, probed)
    return state, reply(packet, answer.build())


_ASSIGNED_RECORDS: Final[dict[int, type[PciResourcesAssigned] | type[PciResourcesAssigned2]]] = {
    MessageType.PCI_RESOURCES_ASSIGNED: PciResourcesAssigned,
    MessageType.PCI_RESOURCES_ASSIGNED2: PciResourcesAssigned2,
}


def assign_resources(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """The guest says where the function lies; its interrupts may be created from now on.

    Model: memory ranges and interrupt records in the message are not looked at and the reply is a
    bare status; Linux's message is all zeros and it reads only the status.
    """
    message = PciChildMessage.parse(packet.payload)
    if rules.knobs.assigned_needs_record_room:
        _ASSIGNED_RECORDS[message.message_type].parse(packet.payload)
    function = find(state, message.wslot)
    if function is None:
        return refuse_bad(rules, state, packet, UNKNOWN_SLOT)
    phase = FUNCTION_MOVES[function.phase, FunctionMove.ASSIGN]
    event = Report(ResourcesAssigned(rules.bus, function.facts.wslot))
    done = reply_status(packet, STATUS_SUCCESS)
    return with_function(state, replace(function, phase=phase)), (event, *done)


def release_resources(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """The guest gives resources and interrupts back; the function stays on the bus."""
    function = find(state, PciChildMessage.parse(packet.payload).wslot)
    if function is None:
        return refuse_bad(rules, state, packet, UNKNOWN_SLOT)
    effects: list[Effect] = []
    released = give_back(rules, function, effects)
    return with_function(state, released), (*effects, *reply_status(packet, STATUS_SUCCESS))


def give_back(rules: Rules, function: FunctionState, effects: list[Effect]) -> FunctionState:
    """Release a function's interrupts and resources, adding what must be done to ``effects``.

    A function without resources assigned has nothing to give back but stray interrupts.
    """
    slot = function.facts.wslot
    effects.extend(DeleteInterrupt(slot, e.address, e.data) for e in function.interrupts)
    if function.phase in ASSIGNED_PHASES:
        effects.append(SetMemoryDecoding(slot, enabled=False))
        effects.append(Report(ResourcesReleased(rules.bus, slot)))
    phase = FUNCTION_MOVES[function.phase, FunctionMove.RELEASE]
    return replace(function, phase=phase, interrupts=(), resources_set=False)


_DECODING_IN: Final = {POWER_STATE_D0: True, POWER_STATE_D3: False}


def change_power(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """D0 turns memory decoding on, D3 off; other states are refused.

    Model: after OpenVMM, with Linux's reply structure; Linux never sends the request.
    """
    message = PciSetPower.parse(packet.payload)
    wslot, power_state = message.wslot, message.power_state
    answer = PciSetPowerResponse(STATUS_SUCCESS, wslot, power_state)
    return set_power(rules, state, packet, wslot, power_state, reply(packet, answer.build()))


def set_power(
    rules: Rules,
    state: VspState,
    packet: PacketReceived,
    wslot: int,
    power_state: int,
    done: tuple[Effect, ...],
) -> Outcome:
    """Power a function and say so with ``done``, or refuse a slot or state that is not there."""
    function = find(state, wslot)
    if function is None:
        return refuse_bad(rules, state, packet, UNKNOWN_SLOT)
    decoding = _DECODING_IN.get(power_state)
    if decoding is None:
        return refuse_bad(rules, state, packet, f"power state {power_state}")
    slot = function.facts.wslot
    changed = Report(PowerStateChanged(rules.bus, slot, power_state))
    return state, (SetMemoryDecoding(slot, decoding), changed, *done)
