# SPDX-License-Identifier: MIT
"""A message is the host's, or is derived from one as multi-MSI derives it."""

from __future__ import annotations

from guest.events import MsiComposed
from host.events import ChannelOffered, InterruptCreated, InterruptDeleted
from protocol.ids import SlotNumber, Vector
from sim.oracles.laws.messages_from_host import MessagesFromHost
from tests.sim.oracles.laws.tale import BUS, OTHER_SLOT, RELID, SLOT, broken, holds, told

ADDRESS = 0xFEE0_1000
MADE = (ChannelOffered(BUS, RELID), InterruptCreated(BUS, SLOT, ADDRESS, 16, 4))


def composed(
    data: int, count: int = 0, *, address: int = ADDRESS, wslot: SlotNumber = SLOT
) -> MsiComposed:
    """The guest's idea; ``count`` 0 for a later vector of a block."""
    return MsiComposed(RELID, wslot, 24, Vector(32), count, address, data)


def test_the_hosts_answer_is_the_message() -> None:
    assert holds(MessagesFromHost, *MADE, composed(16, 4))


def test_the_vectors_of_a_block_derive_theirs() -> None:
    assert holds(MessagesFromHost, *MADE, composed(16, 4), composed(17), composed(19))
    assert broken(MessagesFromHost, *MADE, composed(20))
    assert broken(MessagesFromHost, *MADE, composed(15))
    assert broken(MessagesFromHost, *MADE, composed(17, address=ADDRESS + 4))


def test_a_message_out_of_nowhere_is_found() -> None:
    violation = broken(MessagesFromHost, ChannelOffered(BUS, RELID), composed(16, 1))
    assert violation.kind == "wrong-value"
    assert "0xfee01000/0x10" in violation.message


def test_a_vector_of_a_block_that_could_not_be_composed_is_open_item_17() -> None:
    tale = (ChannelOffered(BUS, RELID), composed(1, address=0))
    assert told(MessagesFromHost, *tale, may_show=("O17",)) == (None, ("O17",))
    assert "open item O17" in broken(MessagesFromHost, *tale).message


def test_a_message_of_another_function_is_not_ones_own() -> None:
    assert broken(MessagesFromHost, *MADE, composed(16, 4, wslot=OTHER_SLOT))


def test_a_block_has_the_size_that_the_host_said() -> None:
    assert broken(MessagesFromHost, *MADE, composed(16, 2))


def test_an_entry_that_the_host_took_back_meanwhile_was_made_by_it() -> None:
    assert holds(MessagesFromHost, *MADE, InterruptDeleted(BUS, SLOT, ADDRESS, 16), composed(16, 4))


def test_the_next_channel_begins_without_messages() -> None:
    assert broken(MessagesFromHost, *MADE, ChannelOffered(BUS, RELID), composed(16, 4))
