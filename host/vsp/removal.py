# SPDX-License-Identifier: MIT
"""How functions leave a bus: asked for, overdue, by surprise, or with the channel.

The graceful path is EJECT, the guest's EJECTION_COMPLETE, a list without the function, and when
it was the last one the rescind. By the rescind the device is unassigned already.
"""

from typing import Final

from msgspec.structs import replace

from host.effects import (
    ArmTimer,
    CancelTimer,
    DeleteInterrupt,
    Effect,
    ReleaseFunction,
    Report,
    RescindChannel,
    SendPacket,
    UnmapConfigWindow,
)
from host.events import DeviceUnassigned, EjectCompleteReceived, EjectOverdue, EjectSent
from host.vsp.conversation import relations
from host.vsp.inputs import (
    EjectRequested,
    PacketReceived,
    RelationsChanged,
    RescindRequested,
    SurpriseRemoved,
    TimerExpired,
)
from host.vsp.replies import UNKNOWN_SLOT, refuse_bad, reply_status
from host.vsp.rules import Outcome, Rules
from host.vsp.state import (
    ASSIGNED_PHASES,
    EJECTING_PHASES,
    FUNCTION_MOVES,
    FunctionMove,
    FunctionState,
    Phase,
    VspState,
    find,
    initial_state,
    with_function,
    without_function,
)
from protocol.errors import LocalProtocolError
from protocol.ids import SlotNumber
from protocol.status import STATUS_SUCCESS
from protocol.vpci import MessageType, PciDevIncoming, PciEjectResponse

EJECT_TIMER: Final = "eject"
RESCIND_TIMER: Final = "rescind"
WHOLE_BUS: Final = SlotNumber(0)  # the rescind timer belongs to the bus; its slot says nothing


def eject(rules: Rules, state: VspState, input_: EjectRequested) -> Outcome:
    """Ask a guest that talks to us to give the function up, and give it 60 seconds."""
    function = find(state, input_.wslot)
    if function is None:
        raise LocalProtocolError(f"{rules.bus}: no function in slot {input_.wslot:#x}")
    knobs = rules.knobs
    if not knobs.eject_supported:
        raise LocalProtocolError(f"{rules.bus}: this host never sends EJECT; rescind instead")
    if function.phase not in ASSIGNED_PHASES and not knobs.eject_before_resources_assigned:
        return withdraw(rules, state, input_)
    phase = FUNCTION_MOVES.get((function.phase, FunctionMove.EJECT))
    if phase is None:
        raise LocalProtocolError(f"{rules.bus}: slot {input_.wslot:#x} is being ejected already")
    slot = function.facts.wslot
    packet = SendPacket(PciDevIncoming(MessageType.PCI_EJECT, slot).build())
    packets = (packet, packet) if knobs.repeat_eject else (packet,)
    timer = ArmTimer(EJECT_TIMER, slot, knobs.eject_timeout_ns)
    after = with_function(state, replace(function, phase=phase))
    ahead = relations(rules, after) if knobs.list_before_eject else ()
    effects: tuple[Effect, ...] = (*ahead, *packets, timer, Report(EjectSent(rules.bus, slot)))
    if knobs.unassign_at_eject:
        effects += (ReleaseFunction(slot),)
    if knobs.list_omits_ejecting:
        effects += relations(rules, after)
    return after, effects


def withdraw(rules: Rules, state: VspState, input_: EjectRequested) -> Outcome:
    """Take a function from a guest that holds no resources of it: no EJECT, only a list."""
    function = find(state, input_.wslot)
    if function is None:
        raise LocalProtocolError(f"{rules.bus}: no function in slot {input_.wslot:#x}")
    if not rules.knobs.eject_supported:
        raise LocalProtocolError(f"{rules.bus}: this host never sends EJECT; rescind instead")
    if function.phase in EJECTING_PHASES:
        raise LocalProtocolError(f"{rules.bus}: slot {input_.wslot:#x} is being ejected already")
    return _remove_functions(rules, state, (function,))


def eject_complete(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """The guest gave the function up. Model: its status is not looked at; Linux sends 0."""
    function = find(state, PciEjectResponse.parse(packet.payload).wslot)
    if function is None:
        return refuse_bad(rules, state, packet, UNKNOWN_SLOT)
    if function.phase not in EJECTING_PHASES:
        return refuse_bad(rules, state, packet, "nobody asked for it")
    received = Report(EjectCompleteReceived(rules.bus, function.facts.wslot))
    after, effects = _remove_functions(rules, state, (function,))
    return after, (received, *effects, *reply_status(packet, STATUS_SUCCESS))


def timer_expired(rules: Rules, state: VspState, input_: TimerExpired) -> Outcome:
    """The grace period is over, or the rescind that follows the last function is due."""
    if input_.name == RESCIND_TIMER:
        return rescind(rules, state, input_)
    function = find(state, input_.wslot)
    if function is None or function.phase not in EJECTING_PHASES:
        return state, ()
    overdue = Report(EjectOverdue(rules.bus, input_.wslot))
    others = len(state.functions) > 1
    if others and not rules.knobs.overdue_eject_rescinds:
        after, effects = _remove_functions(rules, state, (function,))
    else:
        after, effects = rescind(rules, state, input_)
    return after, (overdue, *effects)


def rescind(rules: Rules, state: VspState, _input: RescindRequested | TimerExpired) -> Outcome:
    """Withdraw everything at once and ask nobody."""
    effects: list[Effect] = []
    for function in state.functions:
        _take_away(rules, function, effects)
    effects += (UnmapConfigWindow(), RescindChannel())
    if state.rescind_armed:
        effects.append(CancelTimer(RESCIND_TIMER, WHOLE_BUS))
    return VspState(phase=Phase.GONE), tuple(effects)


def surprise_removal(rules: Rules, state: VspState, _input: SurpriseRemoved) -> Outcome:
    """The hardware is gone: registers first, then (a knob) the list, then the rescind."""
    if not rules.knobs.surprise_removal_sends_list:
        return rescind(rules, state, RescindRequested())
    return _remove_functions(rules, state, state.functions)


def change_relations(rules: Rules, state: VspState, input_: RelationsChanged) -> Outcome:
    """Make the bus hold exactly these functions; one with new facts is another function."""
    wanted = initial_state(input_.functions).functions
    effects: list[Effect] = []
    kept = []
    for function in state.functions:
        if any(function.facts == other.facts for other in wanted):
            kept.append(function)
        else:
            _take_away(rules, function, effects)
    staying = {function.facts.wslot: function for function in kept}
    functions = tuple(staying.get(f.facts.wslot, f) for f in wanted)
    after = replace(state, functions=functions)
    if functions and state.rescind_armed:
        effects.append(CancelTimer(RESCIND_TIMER, WHOLE_BUS))
        after = replace(after, rescind_armed=False)
    return after, (*effects, *_tell(rules, after))


def _tell(rules: Rules, state: VspState) -> tuple[Effect, ...]:
    """Send the list to a guest that has been told one before (or, with a knob, to any)."""
    if state.phase not in (Phase.READY, Phase.IN_D0):
        return ()
    if not state.listed and not rules.knobs.relations_before_query:
        return ()
    return relations(rules, state)


def _ejecting(state: VspState) -> bool:
    return any(function.phase in EJECTING_PHASES for function in state.functions)


def _remove_functions(
    rules: Rules, state: VspState, functions: tuple[FunctionState, ...]
) -> Outcome:
    effects: list[Effect] = []
    for function in functions:
        _take_away(rules, function, effects)
        state = without_function(state, function.facts.wslot)
    if rules.knobs.list_while_ejecting or not _ejecting(state):
        effects += _tell(rules, state)
    if state.functions or state.rescind_armed or not rules.knobs.rescind_after_last:
        return state, tuple(effects)
    effects.append(ArmTimer(RESCIND_TIMER, WHOLE_BUS))
    return replace(state, rescind_armed=True), tuple(effects)


def _take_away(rules: Rules, function: FunctionState, effects: list[Effect]) -> None:
    slot = function.facts.wslot
    if function.phase in EJECTING_PHASES:
        effects.append(CancelTimer(EJECT_TIMER, slot))
    effects.extend(DeleteInterrupt(slot, e.address, e.data) for e in function.interrupts)
    effects.append(ReleaseFunction(slot))
    effects.append(Report(DeviceUnassigned(rules.bus, slot)))
