# SPDX-License-Identifier: MIT
"""How a request is answered and how it is refused. Knows no message's contents.

A completion goes out only if the guest asked for one; a refusal is reported in any case.
"""

from typing import Final

from host.effects import Complete, Effect, Report, Ticket
from host.events import PacketRefused
from host.vsp.inputs import PacketReceived
from host.vsp.rules import Outcome, Rules
from host.vsp.state import VspState
from protocol.errors import WireFormatError
from protocol.status import STATUS_SUCCESS, signed
from protocol.vpci import PciResponse, message_name

SUCCESS_PAYLOAD: Final = PciResponse(STATUS_SUCCESS).build()
UNKNOWN_SLOT: Final = "no function in this slot"


def status_payload(status: int) -> bytes:
    """The 4-byte body of a status completion, the shortest Linux does not drop."""
    return PciResponse(signed(status)).build() if status else SUCCESS_PAYLOAD


def reply(packet: PacketReceived, payload: bytes) -> tuple[Effect, ...]:
    """Complete the request, if the guest asked for that; otherwise silence."""
    if not packet.wants_completion:
        return ()
    return (Complete(packet.transaction_id, payload),)


def reply_status(packet: PacketReceived, status: int) -> tuple[Effect, ...]:
    """Complete with a bare status, if the guest asked for that."""
    if not packet.wants_completion:
        return ()
    return (Complete(packet.transaction_id, status_payload(status)),)


def ticket_for(message_type: int, packet: PacketReceived, echo: bytes = b"") -> Ticket:
    """What an effect must carry so that its result finds the guest's request."""
    return Ticket(message_type, packet.transaction_id, packet.wants_completion, echo)


def complete_ticket(ticket: Ticket, payload: bytes) -> tuple[Effect, ...]:
    """Complete a request whose result has come back, if the guest asked for that."""
    if not ticket.wants_completion:
        return ()
    return (Complete(ticket.transaction_id, payload),)


def refuse(
    rules: Rules, state: VspState, packet: PacketReceived, status: int, reason: str
) -> Outcome:
    """Leave the state alone, answer with the status if asked, and say so."""
    event = PacketRefused(rules.bus, name_of(packet), status, reason)
    return state, (*reply_status(packet, status), Report(event))


def refuse_bad(rules: Rules, state: VspState, packet: PacketReceived, reason: str) -> Outcome:
    """Refuse a request that is damaged, unknown, or names what does not exist."""
    return refuse(rules, state, packet, rules.knobs.bad_request_status, reason)


def refuse_out_of_order(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """Refuse a request this phase does not allow."""
    reason = f"not in phase {state.phase.name}"
    return refuse(rules, state, packet, rules.knobs.out_of_order_status, reason)


def refuse_unsupported(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """Refuse a request this host knows and does not serve."""
    return refuse(rules, state, packet, rules.knobs.unsupported_status, "not supported")


def refuse_direction(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """Refuse a message that is not the guest's to send."""
    return refuse_bad(rules, state, packet, "not a request")


def name_of(packet: PacketReceived) -> str:
    """The message's name, also for one too short to have a type."""
    try:
        return message_name(packet.payload)
    except WireFormatError:
        return "(too short)"
