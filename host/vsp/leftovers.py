# SPDX-License-Identifier: MIT
"""Inputs that change little: results nobody waits for any more, and armed faults."""

from msgspec.structs import replace

from host.effects import DeleteInterrupt
from host.vsp.inputs import FaultArmed, InterruptsCreated
from host.vsp.rules import Outcome, Rules
from host.vsp.state import VspState


def ignore(_rules: Rules, state: VspState, _input: object) -> Outcome:
    """What no longer matters in this phase."""
    return state, ()


def delete_orphans(_rules: Rules, state: VspState, result: InterruptsCreated) -> Outcome:
    """Entries made for a guest that has gone meanwhile must not stay behind."""
    return state, tuple(DeleteInterrupt(result.wslot, e.address, e.data) for e in result.entries)


def arm_fault(_rules: Rules, state: VspState, input_: FaultArmed) -> Outcome:
    """Remember to fail one request of this type."""
    armed = (*state.faults, (input_.message_type, input_.status))
    return replace(state, faults=armed), ()
