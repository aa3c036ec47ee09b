# SPDX-License-Identifier: MIT
"""Interrupt blocks in three forms, blocks of configuration, and a function's power."""

import pytest

from host.effects import (
    Complete,
    CreateInterrupts,
    DeleteInterrupt,
    ReadBlock,
    RequestTurn,
    SendPacket,
    SetMemoryDecoding,
    WriteBlock,
)
from host.vsp.inputs import (
    BlockFetched,
    BlockInvalidated,
    BlockStored,
    ChannelClosed,
    InvalidationDue,
    PacketReceived,
)
from protocol.codec import WireRecord
from protocol.errors import LocalProtocolError
from protocol.ids import SlotNumber, TransactionId
from protocol.vpci import (
    HvMsiDesc,
    HvMsiDesc2,
    HvMsiDesc3,
    MessageType,
    PciChildMessage,
    PciCreateInterrupt,
    PciCreateInterrupt2,
    PciCreateInterrupt3,
    PciCreateIntResponse,
    PciDeleteInterrupt,
    PciDevInvalBlock,
    PciReadBlock,
    PciReadBlockResponse,
    PciResourcesAssigned2,
    PciSetPower,
    PciSetPowerResponse,
    PciWriteBlock,
    TranIntDesc,
)
from tests.host.vsp_bench import BAD_DATA, INVALID_DEVICE_STATE, NOT_SUPPORTED, VspBench, padded

M = MessageType
SLOT = SlotNumber(0)
ONE_VP = (3,) + (0,) * 31
ALL_VPS = (1 << 64) - 1


def create1(mask: int = 1 << 3, vector: int = 0x31, count: int = 1) -> PciCreateInterrupt:
    return PciCreateInterrupt(int_desc=HvMsiDesc(vector, 0, count, 0, mask))


def create2(count: int = 1, processors: int = 1, mode: int = 0) -> PciCreateInterrupt2:
    return PciCreateInterrupt2(int_desc=HvMsiDesc2(0x31, mode, count, processors, ONE_VP))


def create3(vector: int = 0x31) -> PciCreateInterrupt3:
    return PciCreateInterrupt3(int_desc=HvMsiDesc3(vector, 0, 0, 1, 1, ONE_VP))


@pytest.mark.parametrize("request_", [create1(), create2(), create3()])
def test_all_three_forms_mean_the_same(request_: WireRecord) -> None:
    bench = VspBench().assigned()
    answer = bench.ask(request_)
    assert answer is not None
    assert len(answer) == 24
    assert PciCreateIntResponse.parse(answer).int_desc == TranIntDesc(0, 1, 0, 0xFEE0_0000)
    effect = bench.only(CreateInterrupts)
    (request,) = effect.requests
    assert (request.vector, request.vector_count, request.targets) == (0x31, 1, (3,))


def test_all_ones_mean_any_processor_as_linux_asks_at_1_1() -> None:
    bench = VspBench().assigned("1.1")
    bench.ask(create1(ALL_VPS))
    effect = bench.only(CreateInterrupts)
    assert effect.requests[0].targets is None


@pytest.mark.parametrize(
    "request_",
    [
        create1(mask=0),
        create1(count=0),
        create1(count=33),
        create1(mask=(1 << 40) - 1),
        create2(processors=33),
        create2(processors=0),
        create2(mode=2),
    ],
)
def test_requests_beyond_the_limits_are_bad_data(request_: WireRecord) -> None:
    bench = VspBench().assigned()
    assert bench.status(request_) == BAD_DATA
    assert bench.state.functions[0].interrupts == ()


def test_an_interrupt_needs_assigned_resources() -> None:
    bench = VspBench().in_d0()
    assert bench.status(create3()) == INVALID_DEVICE_STATE


def test_a_request_the_hypervisor_refuses_gets_a_bare_status() -> None:
    bench = VspBench().assigned()
    bench.refuse_interrupt = 0
    answer = bench.ask(create3())
    assert answer is not None
    assert len(answer) == 4
    assert bench.state.functions[0].interrupts == ()


def test_no_more_interrupts_than_the_limit_are_live() -> None:
    bench = VspBench(max_interrupts=2).assigned()
    assert [bench.status(create3()) for _ in range(3)] == [0, 0, BAD_DATA]
    bench.tell(PciDeleteInterrupt(int_desc=TranIntDesc(address=0xFEE0_0000)))
    assert bench.status(create3()) == 0


def test_delete_names_the_message_and_an_unknown_one_is_bad_data() -> None:
    bench = VspBench().assigned()
    bench.ask(create3())
    gone = PciDeleteInterrupt(int_desc=TranIntDesc(address=0xFEE0_0000))
    assert bench.status(gone) == 0
    assert DeleteInterrupt(SLOT, 0xFEE0_0000, 0) in bench.effects
    assert bench.status(gone) == BAD_DATA
    assert bench.status(PciDeleteInterrupt(wslot=4)) == BAD_DATA


def test_releasing_resources_deletes_interrupts_and_turns_decoding_off() -> None:
    bench = VspBench().assigned()
    bench.ask(create3())
    bench.tell(PciChildMessage(M.PCI_RESOURCES_RELEASED, 0))
    assert DeleteInterrupt(SLOT, 0xFEE0_0000, 0) in bench.effects
    assert SetMemoryDecoding(SLOT, False) in bench.effects
    assert bench.status(create3()) == INVALID_DEVICE_STATE


def test_assigned_resources_want_room_for_a_record_unless_a_knob_says_no() -> None:
    short = PciResourcesAssigned2().build()[:136]
    assert VspBench().in_d0().status(short) == BAD_DATA
    assert VspBench(assigned_needs_record_room=False).in_d0().status(short) == 0
    assert VspBench().in_d0().status(PciResourcesAssigned2(wslot=7)) == BAD_DATA


def test_power_states_turn_memory_decoding_on_and_off() -> None:
    bench = VspBench().assigned()
    answer = bench.ask(PciSetPower(wslot=0, power_state=4))
    assert answer is not None
    assert PciSetPowerResponse.parse(answer) == PciSetPowerResponse(0, 0, 4)
    assert SetMemoryDecoding(SLOT, False) in bench.effects
    bench.ask(PciSetPower(power_state=1))
    assert SetMemoryDecoding(SLOT, True) in bench.effects
    assert bench.status(PciSetPower(power_state=2)) == BAD_DATA
    assert bench.status(PciSetPower(wslot=3, power_state=1)) == BAD_DATA


def test_reset_is_refused() -> None:
    bench = VspBench().assigned()
    assert bench.status(PciChildMessage(M.RESET_DEVICE, 0)) == NOT_SUPPORTED


# Configuration blocks


def test_a_block_is_read_with_as_many_bytes_as_it_has() -> None:
    bench = VspBench().assigned()
    request = PciReadBlock(block_id=5, wslot=0, bytes_requested=128)
    bench.feed(PacketReceived(6, TransactionId(9), True, padded(request)))
    ticket = bench.only(ReadBlock).ticket
    bench.feed(BlockFetched(SLOT, 5, ticket, 0, b"abcde"))
    completion = bench.only(Complete)
    assert completion.transaction_id == 9
    assert completion.payload == PciReadBlockResponse(0, b"abcde").build()
    assert len(PciReadBlockResponse(0, b"abcde").build()) == 9
    assert bench.event_names() == ["BlockRead"]


@pytest.mark.wire_note("3.9f")
def test_the_byte_count_of_a_written_block_is_the_truth() -> None:
    bench = VspBench().assigned()
    request = PciWriteBlock(block_id=2, wslot=0, byte_count=3, bytes=b"abc" + bytes(4))
    bench.feed(PacketReceived(6, TransactionId(1), True, padded(request)))
    effect = bench.only(WriteBlock)
    assert effect.data == b"abc"
    bench.feed(BlockStored(SLOT, 2, effect.ticket, 0))
    assert bench.event_names() == ["BlockWritten"]


@pytest.mark.parametrize(
    "request_",
    [
        PciReadBlock(bytes_requested=0),
        PciReadBlock(bytes_requested=129),
        PciReadBlock(wslot=1, bytes_requested=4),
        PciWriteBlock(byte_count=0, bytes=b""),
        PciWriteBlock(byte_count=129, bytes=bytes(132)),
        PciWriteBlock(byte_count=64, bytes=b"abc"),
        PciWriteBlock(wslot=1, byte_count=3, bytes=b"abc"),
    ],
)
def test_blocks_out_of_bounds_are_bad_data(request_: WireRecord) -> None:
    assert VspBench().assigned().status(request_) == BAD_DATA


def test_masks_are_merged_until_the_notice_goes_out() -> None:
    bench = VspBench().assigned()
    assert bench.feed(BlockInvalidated(SLOT, 0b001)) == (RequestTurn(SLOT),)
    assert bench.feed(BlockInvalidated(SLOT, 0b110)) == ()
    bench.feed(InvalidationDue(SLOT))
    packet = bench.only(SendPacket)
    assert PciDevInvalBlock.parse(packet.payload).block_mask == 0b111
    assert bench.feed(InvalidationDue(SLOT)) == ()
    assert bench.feed(BlockInvalidated(SLOT, 1)) == (RequestTurn(SLOT),)


def test_only_64_blocks_of_a_present_function_can_be_invalidated() -> None:
    bench = VspBench().assigned()
    for mask in (0, 1 << 64):
        with pytest.raises(LocalProtocolError, match="64 blocks"):
            bench.feed(BlockInvalidated(SLOT, mask))
    with pytest.raises(LocalProtocolError, match="slot 0x9"):
        bench.feed(BlockInvalidated(SlotNumber(9), 1))


def test_a_closed_channel_forgets_masks() -> None:
    bench = VspBench().assigned()
    bench.feed(BlockInvalidated(SLOT, 1))
    bench.feed(ChannelClosed())
    assert bench.state.functions[0].pending_mask == 0
    assert bench.feed(BlockInvalidated(SLOT, 1)) == ()
    assert bench.feed(InvalidationDue(SLOT)) == ()
