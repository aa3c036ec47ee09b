# SPDX-License-Identifier: MIT
"""Configuration blocks: read, written, declared stale."""

from __future__ import annotations

from errno import EINVAL, EIO

import pytest
from msgspec.structs import replace

from guest.pci_hyperv.blocks import HvReadConfigCompl
from guest.pci_hyperv.driver import HvPciDriver
from protocol.link import PacketPublished
from protocol.ring import Packet
from protocol.status import STATUS_UNSUCCESSFUL
from protocol.vpci import MessageType, PciDevInvalBlock, PciReadBlock
from tests.guest.pci_hyperv.story import Story


def read(story: Story, block_id: int, length: int) -> tuple[int, bytes]:
    """What a function driver gets from its config block."""
    results: list[tuple[int, bytes]] = []

    async def body() -> None:
        results.append(await story.driver.hv_read_config_block(story.devices[0], block_id, length))

    story.thread(body())
    return results[0]


def write(story: Story, block_id: int, data: bytes) -> int:
    """The same for writing."""
    results: list[int] = []

    async def body() -> None:
        results.append(await story.driver.hv_write_config_block(story.devices[0], block_id, data))

    story.thread(body())
    return results[0]


def test_a_block_is_read_in_one_exchange() -> None:
    story = Story().arrive()
    story.host.blocks[7] = bytes(range(12))
    assert read(story, 7, 12) == (0, bytes(range(12)))
    request = PciReadBlock.parse(story.host.received[-1])
    assert (request.block_id, request.wslot, request.bytes_requested) == (7, 0, 12)


@pytest.mark.wire_note("3.2a", "3.2b")
def test_ring_padding_counts_as_data_unless_fewer_bytes_were_asked_for() -> None:
    story = Story().arrive()
    story.host.blocks[7] = bytes(range(1, 6))
    assert read(story, 7, 128) == (0, bytes(range(1, 6)) + bytes(7))
    assert read(story, 7, 5) == (0, bytes(range(1, 6)))


@pytest.mark.parametrize("length", [1, 8, 128])
def test_an_answer_longer_than_asked_for_is_cut(length: int) -> None:
    story = Story().arrive()
    story.host.answers[MessageType.PCI_READ_BLOCK] = lambda _: bytes(4) + bytes([7]) * 1024
    assert read(story, 7, length) == (0, bytes([7]) * length)


def test_an_empty_block_reads_as_its_padding() -> None:
    story = Story().arrive()
    story.host.answers[MessageType.PCI_READ_BLOCK] = lambda _: bytes(4)
    assert read(story, 7, 8) == (0, bytes(4))


@pytest.mark.wire_note("3.9c")
def test_lengths_outside_1_to_128_are_refused_unsent() -> None:
    story = Story().arrive()
    before = len(story.host.received)
    assert read(story, 7, 0) == (-EINVAL, b"")
    assert read(story, 7, 129) == (-EINVAL, b"")
    assert write(story, 7, b"") == -EINVAL
    assert write(story, 7, bytes(129)) == -EINVAL
    assert len(story.host.received) == before
    assert read(story, 7, 1)[0] == read(story, 7, 128)[0] == 0
    assert write(story, 7, b"1") == write(story, 7, bytes(128)) == 0


@pytest.mark.wire_note("3.9d", "3.9e", "3.9f")
def test_a_written_block_has_four_zero_bytes_at_its_end() -> None:
    story = Story().arrive()
    assert write(story, 3, b"12345678") == 0
    sent = story.host.received[-1]
    assert sent == bytes.fromhex("0a004942 03000000 00000000 08000000") + b"12345678" + bytes(8)
    asked = [packet for packet in story.of(PacketPublished) if packet.flags]
    assert len(asked[-1].payload) == 16 + 8 + 4  # what the ring pads further is not its own


@pytest.mark.wire_note("3.9a")
@pytest.mark.parametrize("status", [STATUS_UNSUCCESSFUL, -1, 1])
def test_any_status_but_zero_is_an_io_error(status: int) -> None:
    story = Story().arrive()
    story.host.blocks[7] = bytes(range(12))
    story.host.statuses[MessageType.PCI_READ_BLOCK] = [status]
    story.host.statuses[MessageType.PCI_WRITE_BLOCK] = [status]
    assert read(story, 7, 12) == (-EIO, b"")
    assert write(story, 3, b"1") == -EIO


class CutAnswers(HvPciDriver):
    """Takes answers to reads without the ring's padding, as an answer of no bytes would be."""

    async def hv_pci_read_config_compl(
        self, context: HvReadConfigCompl, packet: Packet, size: int
    ) -> None:
        cut = replace(packet, payload=packet.payload[:4], size=size - 4)
        await super().hv_pci_read_config_compl(context, cut, cut.size)


@pytest.mark.wire_note("3.9b")
def test_a_read_of_no_bytes_is_an_io_error_though_its_status_is_zero() -> None:
    story = Story(driver=CutAnswers).arrive()
    assert read(story, 7, 8) == (-EIO, b"")


def test_whoever_registered_hears_of_stale_blocks_until_it_unregisters() -> None:
    story = Story().arrive()
    heard: list[tuple[object, int]] = []

    async def stale(context: object, mask: int) -> None:
        heard.append((context, mask))

    async def register(*, on: bool) -> None:
        device = story.devices[0]
        callback = stale if on else None
        ret = await story.driver.hv_register_block_invalidate(device, "vf", callback)
        assert ret == 0

    story.host.send(PciDevInvalBlock(wslot=0, block_mask=1).build())
    story.thread(register(on=True))
    story.host.send(PciDevInvalBlock(wslot=0, block_mask=0b110).build())
    story.run()
    story.thread(register(on=False))
    story.host.send(PciDevInvalBlock(wslot=0, block_mask=0b1000).build())
    story.run()
    assert heard == [("vf", 0b110)]


def test_an_invalidation_of_an_unknown_slot_is_ignored() -> None:
    story = Story().arrive()
    story.host.send(PciDevInvalBlock(wslot=9, block_mask=1).build())
    story.run()
    assert story.leaks() == {}
