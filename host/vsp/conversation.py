# SPDX-License-Identifier: MIT
"""Opening, version negotiation, relations, and power of the bus. Knows no removal."""

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from host.effects import (
    Effect,
    MapConfigWindow,
    Report,
    SendPacket,
    StopWorker,
    UnmapConfigWindow,
)
from host.events import (
    BusRelationsSent,
    D0Entered,
    D0Exited,
    VersionAgreed,
    VersionRefused,
    WorkerStopped,
)
from host.vsp.inputs import ChannelClosed, ChannelOpened, PacketReceived, RingBroken
from host.vsp.replies import refuse, refuse_bad, reply, reply_status
from host.vsp.resources import give_back
from host.vsp.rules import Outcome, Rules
from host.vsp.state import EJECTING_PHASES, FunctionFacts, Phase, VspState
from protocol.hypercall import HV_HYP_PAGE_SIZE
from protocol.ids import Gpa
from protocol.openvmm import OvQueryProtocolVersionReply
from protocol.status import STATUS_SUCCESS
from protocol.vpci import (
    DEVICE_FLAG_NUMA_AFFINITY,
    PciBusD0Entry,
    PciFunctionDescription,
    PciFunctionDescription2,
    PciVersionRequest,
)


def open_channel(_rules: Rules, state: VspState, _input: ChannelOpened) -> Outcome:
    """A guest opened the channel: it starts without a version, whatever the last one left."""
    return replace(state, phase=Phase.FRESH, version=0, listed=False), ()


def close_channel(rules: Rules, state: VspState, _input: ChannelClosed) -> Outcome:
    """The window goes with the channel; power and resources may outlive it (a knob)."""
    effects: list[Effect] = [UnmapConfigWindow()]
    functions = tuple(replace(function, pending_mask=0) for function in state.functions)
    powered = state.powered
    if not rules.knobs.power_survives_close:
        powered = False
        functions = tuple(give_back(rules, function, effects) for function in functions)
    closed = replace(
        state, phase=Phase.CLOSED, version=0, listed=False, powered=powered, functions=functions
    )
    return closed, tuple(effects)


def break_off(rules: Rules, state: VspState, input_: RingBroken) -> Outcome:
    """Nobody reads a ring that cannot be followed; only a close and a new open help.

    Model: OpenVMM's worker dies so; what a Windows host does is not established.
    """
    stopped = Report(WorkerStopped(rules.bus, input_.reason))
    return replace(state, phase=Phase.STOPPED), (StopWorker(input_.reason), stopped)


# Versions


def negotiate(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """Accept a version or refuse it; after a refusal the guest may ask for another."""
    version = PciVersionRequest.parse(packet.payload).protocol_version
    if version not in rules.versions:
        status = rules.knobs.version_refusal_status
        answer = OvQueryProtocolVersionReply(status, rules.reply_version).build()
        refused = Report(VersionRefused(rules.bus, version, status))
        return state, (*reply(packet, answer), refused)
    answer = OvQueryProtocolVersionReply(STATUS_SUCCESS, rules.reply_version).build()
    phase = Phase.IN_D0 if state.powered else Phase.READY
    agreed = Report(VersionAgreed(rules.bus, version))
    return replace(state, phase=phase, version=version), (*reply(packet, answer), agreed)


# Relations


def query_relations(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """Send the list; a completion, if asked for, goes before it (OpenVMM's order)."""
    if rules.knobs.query_relations_completion == "empty":
        answer = reply(packet, b"")
    else:
        answer = reply_status(packet, STATUS_SUCCESS)
    return replace(state, listed=True), answer + relations(rules, state)


def relations(rules: Rules, state: VspState) -> tuple[Effect, ...]:
    """The bus as it is now, in the form of the agreed version."""
    dialect = rules.versions[state.version]
    functions = state.functions
    if rules.knobs.list_omits_ejecting or rules.knobs.list_before_eject:
        functions = tuple(f for f in functions if f.phase not in EJECTING_PHASES)
    describe = _DESCRIBE[dialect.function_description]
    entries = tuple(describe(function.facts) for function in functions)
    packet = dialect.bus_relations(dialect.relations_message, len(entries), entries)
    event = BusRelationsSent(rules.bus, tuple(f.facts.wslot for f in functions))
    payload = packet.build() + bytes(rules.knobs.list_trailing_bytes)
    return SendPacket(payload), Report(event)


def _describe(facts: FunctionFacts) -> PciFunctionDescription:
    return PciFunctionDescription(
        facts.v_id,
        facts.d_id,
        facts.rev,
        facts.prog_intf,
        facts.subclass,
        facts.base_class,
        facts.subsystem_id,
        facts.wslot,
        facts.ser,
    )


def _describe2(facts: FunctionFacts) -> PciFunctionDescription2:
    node = facts.numa_node
    return PciFunctionDescription2(
        facts.v_id,
        facts.d_id,
        facts.rev,
        facts.prog_intf,
        facts.subclass,
        facts.base_class,
        facts.subsystem_id,
        facts.wslot,
        facts.ser,
        0 if node is None else DEVICE_FLAG_NUMA_AFFINITY,
        node or 0,
    )


_DESCRIBE: Final[dict[type, Callable[[FunctionFacts], Any]]] = {
    PciFunctionDescription: _describe,
    PciFunctionDescription2: _describe2,
}


# Power


def enter_d0(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """Power the bus and show its configuration window."""
    base = PciBusD0Entry.parse(packet.payload).mmio_base
    if base % HV_HYP_PAGE_SIZE and rules.knobs.window_must_be_aligned:
        return refuse_bad(rules, state, packet, "configuration window is not page-aligned")
    entered = replace(state, phase=Phase.IN_D0, powered=True)
    window = (MapConfigWindow(Gpa(base)), Report(D0Entered(rules.bus, base)))
    done = reply_status(packet, STATUS_SUCCESS)
    if not rules.knobs.relations_after_d0:
        return entered, (*window, *done)
    entered = replace(entered, listed=True)
    listed = relations(rules, entered)
    if rules.knobs.relations_before_d0_completion:
        return entered, (*window, *listed, *done)
    return entered, (*window, *done, *listed)


def enter_d0_again(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """D0 entry while in D0: refused (Linux then leaves D0 and tries once more), or a remap."""
    status = rules.knobs.second_d0_status
    if not status:
        return enter_d0(rules, state, packet)
    PciBusD0Entry.parse(packet.payload)  # a damaged one is damaged first
    return refuse(rules, state, packet, status, "the bus is in D0")


def exit_d0(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """Power the bus down; the window goes, and with a knob resources and interrupts too."""
    effects: list[Effect] = [UnmapConfigWindow()]
    functions = state.functions
    if rules.knobs.d0_exit_releases_resources:
        functions = tuple(give_back(rules, function, effects) for function in functions)
    effects.append(Report(D0Exited(rules.bus)))
    left = replace(state, phase=Phase.READY, powered=False, functions=functions)
    return left, (*effects, *reply_status(packet, STATUS_SUCCESS))
