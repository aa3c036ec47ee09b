# SPDX-License-Identifier: MIT
"""Configuration blocks: the back channel between a virtual function's driver and its PF's.

Masks of invalidated blocks are merged until the notice goes out, as the interface promises: block
i is bit i, so only the first 64 blocks can be invalidated.
"""

from typing import Final

from msgspec.structs import replace

from host.effects import ReadBlock, Report, RequestTurn, SendPacket, WriteBlock
from host.events import BlockInvalidateSent, BlockRead, BlockWritten
from host.vsp.inputs import (
    BlockFetched,
    BlockInvalidated,
    BlockStored,
    InvalidationDue,
    PacketReceived,
)
from host.vsp.replies import UNKNOWN_SLOT, complete_ticket, refuse_bad, status_payload, ticket_for
from host.vsp.rules import Outcome, Rules
from host.vsp.state import VspState, find, with_function
from protocol.errors import LocalProtocolError
from protocol.vpci import (
    MessageType,
    PciDevInvalBlock,
    PciReadBlock,
    PciReadBlockResponse,
    PciWriteBlock,
)

MASK_BITS: Final = 64
OVERLONG_BYTES: Final = 1024  # far beyond any block


def read_block(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """Ask the physical function's driver for a block."""
    message = PciReadBlock.parse(packet.payload)
    function = find(state, message.wslot)
    if function is None:
        return refuse_bad(rules, state, packet, UNKNOWN_SLOT)
    size = message.bytes_requested
    if not 0 < size <= rules.knobs.max_block_bytes:
        return refuse_bad(rules, state, packet, f"block of {size} bytes")
    ticket = ticket_for(message.message_type, packet)
    return state, (ReadBlock(function.facts.wslot, message.block_id, size, ticket),)


def block_fetched(rules: Rules, state: VspState, result: BlockFetched) -> Outcome:
    """Answer with exactly as many bytes as the block has; the ring pads them."""
    answer = PciReadBlockResponse(result.status, result.data).build()
    if rules.knobs.overlong_blocks:
        answer += bytes(OVERLONG_BYTES)
    event = Report(BlockRead(rules.bus, result.wslot, result.block_id, result.status))
    return state, (event, *complete_ticket(result.ticket, answer))


def write_block(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """Hand a block to the physical function's driver.

    ``byte_count`` is the truth: Linux appends four bytes for hosts of about 2018.
    """
    message = PciWriteBlock.parse(packet.payload)
    function = find(state, message.wslot)
    if function is None:
        return refuse_bad(rules, state, packet, UNKNOWN_SLOT)
    size = message.byte_count
    if not 0 < size <= min(rules.knobs.max_block_bytes, len(message.bytes)):
        return refuse_bad(rules, state, packet, f"block of {size} bytes")
    ticket = ticket_for(message.message_type, packet)
    data = message.bytes[:size]
    return state, (WriteBlock(function.facts.wslot, message.block_id, data, ticket),)


def block_stored(rules: Rules, state: VspState, result: BlockStored) -> Outcome:
    """Answer with the status."""
    event = Report(BlockWritten(rules.bus, result.wslot, result.block_id, result.status))
    return state, (event, *complete_ticket(result.ticket, status_payload(result.status)))


def invalidate_block(_rules: Rules, state: VspState, input_: BlockInvalidated) -> Outcome:
    """Merge the mask; ask for a turn unless one has been asked for."""
    if not 0 < input_.block_mask < 1 << MASK_BITS:
        raise LocalProtocolError(f"block mask {input_.block_mask:#x} does not fit 64 blocks")
    function = find(state, input_.wslot)
    if function is None:
        raise LocalProtocolError(f"no function in slot {input_.wslot:#x}")
    merged = replace(function, pending_mask=function.pending_mask | input_.block_mask)
    effects = () if function.pending_mask else (RequestTurn(input_.wslot),)
    return with_function(state, merged), effects


def forget_invalidation(_rules: Rules, state: VspState, _input: object) -> Outcome:
    """Model: a guest that has no version agreed has read no block, so nothing is stale."""
    return state, ()


def send_invalidation(rules: Rules, state: VspState, input_: InvalidationDue) -> Outcome:
    """Tell the guest about everything invalidated since the last notice."""
    function = find(state, input_.wslot)
    if function is None or not function.pending_mask:
        return state, ()
    mask = function.pending_mask
    notice = PciDevInvalBlock(MessageType.PCI_INVALIDATE_BLOCK, input_.wslot, mask)
    event = Report(BlockInvalidateSent(rules.bus, input_.wslot, mask))
    sent = with_function(state, replace(function, pending_mask=0))
    return sent, (SendPacket(notice.build()), event)
