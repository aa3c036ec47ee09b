# SPDX-License-Identifier: MIT
"""Configuration blocks, the back channel of a virtual function's driver, as a host serves them."""

from __future__ import annotations

from typing import Final

from protocol.status import STATUS_SUCCESS
from protocol.vpci import (
    CONFIG_BLOCK_BYTES_MAX,
    WRITE_BLOCK_QUIRK_BYTES,
    MessageType,
    PciDevInvalBlock,
    PciReadBlock,
    PciWriteBlock,
    message_type,
)
from sim.conformance.answers import BAD_DATA, Answer, told
from sim.conformance.case import FROM_1_2, UNSOURCED, HostCase, Nonconforming
from sim.conformance.expecting import expect, expect_each, reaching
from sim.conformance.host_bench import HostBench
from sim.conformance.watched import Received

BLOCK: Final = 1
UNKNOWN_BLOCK: Final = 0x7777
STALL_NS: Final = 5_000_000_000
DATA: Final = bytes(range(1, 17))
M = MessageType


def _read(host: HostBench, block: int = BLOCK, size: int = CONFIG_BLOCK_BYTES_MAX) -> Answer:
    return host.ask(PciReadBlock(block_id=block, bytes_requested=size))


def _write(host: HostBench, data: bytes, count: int | None = None) -> Answer:
    size = len(data) if count is None else count
    quirk = bytes(WRITE_BLOCK_QUIRK_BYTES) if count is None else b""
    return host.ask(PciWriteBlock(block_id=BLOCK, byte_count=size, bytes=data + quirk))


def _written(host: HostBench, data: bytes) -> None:
    with reaching("a written block"):
        expect("the status", _write(host, data).status, STATUS_SUCCESS)


def read(host: HostBench) -> None:
    host.assigned()
    answer = _read(host)
    expect("the status", answer.status, STATUS_SUCCESS)
    expect("bytes of the block", len(answer.body) - 4, CONFIG_BLOCK_BYTES_MAX + 4)


def read_part(host: HostBench) -> None:
    host.assigned()
    answer = _read(host, size=8)
    expect("the status", answer.status, STATUS_SUCCESS)
    expect("bytes of the reply, padded", len(answer.body), 16)


def written(host: HostBench) -> None:
    host.assigned()
    expect("the status", _write(host, DATA).status, STATUS_SUCCESS)


def read_back(host: HostBench) -> None:
    host.assigned()
    _written(host, DATA)
    expect("what is read", _read(host).body[4 : 4 + len(DATA)].hex(), DATA.hex())


def count_is_the_truth(host: HostBench) -> None:
    host.assigned()
    _written(host, DATA)
    _written(host, b"\xff" * 8)
    found = _read(host).body[4 : 4 + len(DATA)]
    expect("what is read", found.hex(), (b"\xff" * 8 + DATA[8:]).hex())


def unknown_block(host: HostBench) -> None:
    host.assigned()
    answer = _read(host, UNKNOWN_BLOCK)
    raise Nonconforming(f"reading a block that is not there gets {told(answer)}")


def too_long(host: HostBench) -> None:
    host.assigned()
    raise Nonconforming(f"reading 129 bytes gets {told(_read(host, size=129))}")


def _notices(host: HostBench, *masks: int) -> list[Received]:
    host.assigned()
    host.order("stall", stall_ns=STALL_NS)
    for mask in masks:
        host.host.order("invalidate-block", host.channel, wslot=0, mask=mask)
    host.host.pass_time(2 * STALL_NS)
    packets = host.receive()
    return [p for p in packets if message_type(p.payload) == M.PCI_INVALIDATE_BLOCK]


def _told_of(notice: Received) -> tuple[int, int]:
    """Slot and mask."""
    parsed = PciDevInvalBlock.parse(notice.payload)
    return parsed.wslot, parsed.block_mask


def invalidated(host: HostBench) -> None:
    notices = _notices(host, 0b10)
    expect_each("the notices", notices, [*map(_told_of, notices)], [(0, 0b10)])


def merged(host: HostBench) -> None:
    union = 0
    for notice in _notices(host, 0b10, 0b1000):
        union |= _told_of(notice)[1]
    expect("the blocks told of", union, 0b1010)


def no_blocks(host: HostBench) -> None:
    host.assigned()
    expect("the status", _read(host).status, BAD_DATA)


LENT: Final = "A virtual function with configuration blocks and resources assigned"
DDI: Final = "Windows DDI, pcivirt.h"

CASES: Final = (
    HostCase(
        id="block-read",
        strength="hyperv",
        given=LENT,
        when="the guest reads a block of 128 bytes",
        then="the reply is success and the 128 bytes",
        source="pci-hyperv.c hv_read_config_block(), hv_pci_read_config_compl()",
        bus="blocks",
        check=read,
    ),
    HostCase(
        id="block-read-in-part",
        strength="hyperv",
        given=LENT,
        when="the guest reads eight bytes of a block",
        then="the reply is success and no more than the eight bytes",
        source="pci-hyperv.c hv_pci_read_config_compl()",
        bus="blocks",
        check=read_part,
    ),
    HostCase(
        id="block-written",
        strength="hyperv",
        given=LENT,
        when="the guest writes a block, with four bytes behind it as Linux does",
        then="the host answers with success",
        source="pci-hyperv.c hv_write_config_block()",
        bus="blocks",
        check=written,
    ),
    HostCase(
        id="block-reads-as-written",
        strength="hyperv",
        given="A block that the guest has written",
        when="the guest reads it",
        then="it gets what it wrote",
        source=f"{DDI}, SRIOV_WRITE_BLOCK",
        bus="blocks",
        check=read_back,
    ),
    HostCase(
        id="byte-count-is-the-truth",
        strength="hyperv",
        given="A block that the guest has written",
        when="the guest writes eight bytes, with four more behind them as Linux does",
        then="only eight change",
        source="pci-hyperv.c hv_write_config_block(), comment on older hosts",
        bus="blocks",
        check=count_is_the_truth,
    ),
    HostCase(
        id="unknown-block",
        strength="unknown",
        given=LENT,
        when="the guest reads a block that the function does not have",
        then="it is not established what the host answers",
        source=UNSOURCED,
        bus="blocks",
        check=unknown_block,
    ),
    HostCase(
        id="block-of-129-bytes",
        strength="unknown",
        given=LENT,
        when="the guest reads 129 bytes, one more than a block has",
        then="it is not established what the host answers; Linux does not ask",
        source=UNSOURCED,
        bus="blocks",
        check=too_long,
    ),
    HostCase(
        id="changed-block-told",
        strength="hyperv",
        given=LENT,
        when="the physical function says that a block has changed",
        then="the guest is told of that block",
        source=f"{DDI}, INVALIDATE_BLOCK; pci-hyperv.c hv_pci_onchannelcallback()",
        bus="blocks",
        check=invalidated,
    ),
    HostCase(
        id="changed-blocks-merged",
        strength="hyperv",
        given="A guest that has not been told yet that a block has changed",
        when="another block changes",
        then="the guest is told of both",
        source=f"{DDI}, INVALIDATE_BLOCK: masks are merged until they are delivered",
        bus="blocks",
        check=merged,
    ),
    HostCase(
        id="blocks-refused",
        strength="openvmm",
        given="A bus in D0 with resources assigned",
        when="the guest reads a configuration block",
        then="the host answers with BAD_DATA, and the caller gets an error",
        source="OpenVMM device.rs, unknown type",
        versions=FROM_1_2,
        check=no_blocks,
    ),
)
