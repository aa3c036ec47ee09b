# SPDX-License-Identifier: MIT
"""A host that lies: what it says of BARs, mappings and blocks when a knob is turned."""

from __future__ import annotations

import pytest

from host.effects import Complete, ReadBlock
from host.events import InterruptCreated
from host.vsp.inputs import BlockFetched
from protocol.ids import SlotNumber
from protocol.vpci import (
    HvMsiDesc,
    MessageType,
    PciChildMessage,
    PciCreateInterrupt,
    PciCreateIntResponse,
    PciQResReqResponse,
    PciReadBlock,
)
from tests.host.vsp_bench import VspBench

WIDE = 0x4
IO = 0x1
QUERY = PciChildMessage(MessageType.PCI_QUERY_RESOURCE_REQUIREMENTS, SlotNumber(0))
CREATE = PciCreateInterrupt(int_desc=HvMsiDesc(0x31, 0, 1, 0, 1))


def told(told_bars: str = "true") -> tuple[int, ...]:
    """The six words that the guest is told."""
    answer = VspBench(told_bars=told_bars).negotiated().ask(QUERY)
    assert answer is not None
    return tuple(PciQResReqResponse.parse(answer).probed_bar)


def test_a_host_tells_of_bars_what_they_are() -> None:
    answer = VspBench().negotiated().ask(QUERY)
    assert answer is not None
    assert tuple(PciQResReqResponse.parse(answer).probed_bar) == told()


@pytest.mark.parametrize(
    ("lie", "word", "flag"), [("wide-last", 5, WIDE), ("io", 0, IO), ("huge", 0, WIDE)]
)
def test_a_lie_about_a_bar_is_in_its_flags(lie: str, word: int, flag: int) -> None:
    assert told(told_bars=lie)[word] & flag


def test_an_odd_size_keeps_the_bars_width() -> None:
    true, odd = told()[0], told(told_bars="odd")[0]
    assert odd & WIDE == true & WIDE
    assert (~odd + 1 & 0xFFFF_F000).bit_count() > 1


def test_sizes_that_overflow_are_half_of_all_there_is_each() -> None:
    assert told(told_bars="overflowing") == (WIDE, 1 << 31, WIDE, 1 << 31, 0, 0)


def test_a_forged_mapping_is_not_the_entry_that_was_made() -> None:
    bench = VspBench(told_mappings="forged").assigned()
    answer = bench.ask(CREATE)
    assert answer is not None
    (made,) = [event for event in bench.events() if isinstance(event, InterruptCreated)]
    told_of = PciCreateIntResponse.parse(answer).int_desc
    assert (told_of.address, told_of.data) != (made.address, made.data)


@pytest.mark.parametrize(("overlong", "size"), [(False, 4 + 5), (True, 4 + 5 + 1024)])
def test_a_block_may_come_with_more_than_was_asked_for(overlong: bool, size: int) -> None:
    bench = VspBench(overlong_blocks=overlong).assigned()
    assert bench.ask(PciReadBlock(block_id=7, bytes_requested=5)) is None
    bench.feed(BlockFetched(SlotNumber(0), 7, bench.only(ReadBlock).ticket, 0, bytes(5)))
    assert len(bench.only(Complete).payload) == size
