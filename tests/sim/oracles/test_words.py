# SPDX-License-Identifier: MIT
"""Signatures recognise a finding of either guest."""

import pytest

from sim.oracles.words import REAL_DRIVERS, speaks_of


@pytest.mark.parametrize(
    ("message", "what"),
    [
        ("Requestor.match read after its lifetime", "Requestor."),
        ("read of 8 bytes of an object of bitmap_alloc, freed by bitmap_free", "Requestor."),
        ("hv_ringbuffer_write touches address 0x4", "ring of channel"),
    ],
)
def test_a_message_speaks_of_what_it_is_about(message: str, what: str) -> None:
    assert speaks_of(message, what)
    assert not any(speaks_of(message, other) for other in REAL_DRIVERS if other != what)


def test_what_no_word_stands_for_is_looked_for_as_it_is() -> None:
    assert speaks_of("HvPciDev.refs read", "HvPciDev.")
    assert not speaks_of("HvPciBus.state read", "HvPciDev.")
