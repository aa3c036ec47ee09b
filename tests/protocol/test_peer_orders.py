# SPDX-License-Identifier: MIT
"""Orders of the peer port: their words, there and back."""

from collections.abc import Sequence

import pytest

from protocol.errors import RemoteProtocolError
from protocol.peer_orders import (
    GUEST_ORDERS,
    HOST_ORDERS,
    ORDERS,
    Value,
    arguments_of,
    mask_of,
    words_of,
)

GIVEN: Sequence[tuple[str, dict[str, Value], tuple[int, ...]]] = (
    ("eject", {}, (0,)),
    ("eject", {"wslot": 3}, (3,)),
    ("rescind", {}, ()),
    ("relations", {"wslots": (0, 1)}, (0, 1)),
    ("relations", {"wslots": ()}, ()),
    ("fail-next", {"message": "PCI_BUS_D0ENTRY", "status": 0xC0000001}, (0x42490007, 0xC0000001)),
    ("forge-index", {"ring": "to-host", "value": 7}, (1, 7)),
    ("defer-access", {"kind": "write", "for_ns": 9}, (0, 1, 9)),
    ("forge-packet", {"payload": b"\1\2"}, (1, 2)),
    ("write-block", {"wslot": 0, "block": 2, "data": b"\xff"}, (0, 2, 255)),
    ("set-affinity", {"vector": 1, "cpus": (0, 2)}, (0, 1, 0, 2)),
)


@pytest.mark.parametrize(("name", "arguments", "words"), GIVEN)
def test_arguments_are_words_and_come_back(
    name: str, arguments: dict[str, Value], words: tuple[int, ...]
) -> None:
    assert words_of(name, arguments) == words
    back = arguments_of(name, words)
    assert arguments.items() <= back.items()
    assert words_of(name, back) == words


@pytest.mark.parametrize(
    ("name", "words", "says"),
    [
        ("pass-time", (), "lacks its for_ns"),
        ("rescind", (1,), "1 words too many"),
        ("forge-packet", (256,), "no such payload"),
        ("forge-index", (2, 0), "no such ring"),
        ("defer-access", (0, 3, 9), "no such kind"),
        ("fail-next", (1, 0), "no such message"),
    ],
)
def test_words_that_make_no_sense_are_the_peers_fault(
    name: str, words: tuple[int, ...], says: str
) -> None:
    with pytest.raises(RemoteProtocolError, match=says):
        arguments_of(name, words)


def test_every_order_has_a_bit_of_its_own() -> None:
    numbers = [kind.number for kind in ORDERS.values()]
    assert len(set(numbers)) == len(numbers) == len(HOST_ORDERS) + len(GUEST_ORDERS)
    assert mask_of(("configure", "eject")) == 3
    assert all(number < 64 for number in numbers)
