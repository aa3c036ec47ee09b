# SPDX-License-Identifier: MIT
"""The virtualization service provider of one bus: a table of handlers, and nothing kept.

``answer`` is a function: the same state and input give the same state and effects. So its answers
can be remembered, and are from a bus's second life on: in the next life, and in the next schedule
of an exploration, it hears the same again. A bus that lives once remembers nothing, so that a VM
of 2,000 devices is not charged for what nobody asks twice. It knows no clock, no ring and no
register; ``host.profiles`` brings the tables, ``host.partition`` carries the effects out.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from msgspec.structs import replace

from host.effects import Effect, KeepRequest, Report
from host.vsp.inputs import Input, PacketReceived
from host.vsp.replies import reply
from host.vsp.rules import Outcome, Profile, Rules
from host.vsp.state import VspState
from protocol.errors import LocalProtocolError, WireFormatError
from protocol.vpci import message_type

# A life takes about 20 steps, each of some hundred bytes; other schedules of it add a few more.
STEPS_REMEMBERED: Final = 256

Step = Callable[[VspState, Input], Outcome]


class Vsp:
    """A profile's tables with the rules of one bus, and what it answered in lives before."""

    __slots__ = ("_inputs", "_lived", "_packets", "_remembering", "profile", "rules")

    def __init__(self, profile: Profile, rules: Rules) -> None:
        self.profile: Final = profile
        self.rules: Final = rules
        self._packets = profile.packets
        self._inputs = profile.inputs
        self._lived = False
        self._remembering: Step | None = None  # made when first wanted: it is not small

    def begin_life(self) -> Step:
        """What a bus steps with from its offer to its rescind: :meth:`answer`, remembering what
        it answered lately if the bus has lived before."""
        if not self._lived:
            self._lived = True
            return self.answer
        if self._remembering is None:
            self._remembering = lru_cache(STEPS_REMEMBERED)(self.answer)
        return self._remembering

    def answer(self, state: VspState, input_: Input) -> Outcome:
        """Answer one input.

        The guest's faults are answered as the profile says. Raises LocalProtocolError for an
        input the tables do not allow in this phase (a packet from a channel that is not open, an
        ejection on a host that never ejects); the state is then as before.
        """
        if type(input_) is PacketReceived:
            return self._packet(state, input_)
        handler = self._inputs[type(input_)].get(state.phase)
        if handler is None:
            raise LocalProtocolError(f"{type(input_).__name__} in phase {state.phase.name}")
        return handler(self.rules, state, input_)

    def _packet(self, state: VspState, packet: PacketReceived) -> Outcome:
        profile, rules, phase = self.profile, self.rules, state.phase
        row = self._packets.get(phase)
        if row is None:
            raise LocalProtocolError(f"a packet in phase {phase.name}")
        foreign = profile.foreign.get(packet.packet_type)
        if foreign is not None:
            return foreign(rules, state, packet, f"ring packet type {packet.packet_type}")
        try:
            code = message_type(packet.payload)
            handler = row.get(code)
            if handler is None:
                reason = f"unknown message type {code:#x}"
                return profile.unknown[phase](rules, state, packet, reason)
            outcome = self._injected(state, packet, code) if state.faults else None
            return outcome or handler(rules, state, packet)
        except WireFormatError as error:
            return profile.damaged[phase](rules, state, packet, str(error))

    def _injected(self, state: VspState, packet: PacketReceived, code: int) -> Outcome | None:
        """Play the oldest armed fault of this type, if there is one."""
        for index, (armed_type, answer, event) in enumerate(state.faults):
            if armed_type == code:
                left = state.faults[:index] + state.faults[index + 1 :]
                effects: list[Effect] = [] if answer is None else [*reply(packet, answer)]
                if packet.wants_completion:
                    effects.append(KeepRequest(code, packet.transaction_id))
                return replace(state, faults=left), (*effects, Report(event))
        return None
