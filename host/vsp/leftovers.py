# SPDX-License-Identifier: MIT
"""Inputs that change little: results nobody waits for any more, and armed faults."""

from msgspec.structs import replace

from host.effects import DeleteInterrupt
from host.events import RequestFailed
from host.vsp.inputs import FaultArmed, InterruptsCreated
from host.vsp.replies import status_payload
from host.vsp.rules import Outcome, Rules
from host.vsp.state import VspState
from protocol.vpci import message_name


def ignore(_rules: Rules, state: VspState, _input: object) -> Outcome:
    """What no longer matters in this phase."""
    return state, ()


def delete_orphans(_rules: Rules, state: VspState, result: InterruptsCreated) -> Outcome:
    """Entries made for a guest that has gone meanwhile must not stay behind."""
    return state, tuple(DeleteInterrupt(result.wslot, e.address, e.data) for e in result.entries)


def failure(bus: str, message_type: int, status: int) -> FaultArmed:
    """The next request of that type gets a bare status, unsigned."""
    name = message_name(message_type.to_bytes(4, "little"))
    return FaultArmed(message_type, status_payload(status), RequestFailed(bus, name, status))


def arm_fault(_rules: Rules, state: VspState, input_: FaultArmed) -> Outcome:
    """Remember what becomes of one request of this type."""
    armed = (*state.faults, (input_.message_type, input_.answer, input_.event))
    return replace(state, faults=armed), ()
