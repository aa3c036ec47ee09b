# SPDX-License-Identifier: MIT
"""What differs between architectures on the host's side, and that all agree which there are."""

from __future__ import annotations

import pytest

from guest.parts import ARCHITECTURES as OF_GUESTS
from host.interrupts import ARCHITECTURES, LocalApics
from protocol.errors import LocalProtocolError
from protocol.ids import Vector, VpIndex
from sim.scenario_grammar import ARCHITECTURES as NAMES


def test_host_guest_and_grammar_know_the_same_architectures() -> None:
    assert tuple(ARCHITECTURES) == tuple(OF_GUESTS) == NAMES


def test_an_x86_processor_asks_nobody_which_interrupt_it_has() -> None:
    raised: list[tuple[VpIndex, Vector]] = []
    apics = LocalApics(lambda vp, vector: raised.append((vp, vector)))
    apics.arrive(VpIndex(1), Vector(40))
    assert raised == [(1, 40)]
    with pytest.raises(LocalProtocolError):
        apics.acknowledge(VpIndex(1))
    with pytest.raises(LocalProtocolError):
        apics.end(40)
