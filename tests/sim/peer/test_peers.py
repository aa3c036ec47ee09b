# SPDX-License-Identifier: MIT
"""One peer after another, and an end to those who never answer."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from protocol.peer_port import ROLE_GUEST, ROLE_HOST, Hello
from sim.conformance.case import NotOffered
from sim.conformance.catalogue import HOST_CASES
from sim.conformance.outcome import BINDING, STRANGER, Target
from sim.conformance.suite import run_host_case
from sim.peer.fault import PeerFault
from sim.peer.limits import STALLS_MAX
from sim.peer.peers import Peers
from sim.peer.remote_host import hosts_of
from sim.peer.wire import Wire
from tests.sim.peer.ends import AT_ONCE, ends

MINE = Hello(role=ROLE_GUEST)
GREETS, SILENT = True, False


class InTurn:
    """A way to peers of which some greet us, and nobody says more."""

    name = "peers in turn"

    def __init__(self, peers: Sequence[bool]) -> None:
        self._peers = iter(peers)
        self._wires: list[Wire] = []

    def open(self) -> Wire:
        pair = [Wire(end, end, limits=AT_ONCE) for end in ends()]
        self._wires = pair
        if next(self._peers):
            pair[1].send(Hello(role=ROLE_HOST))
        return pair[0]

    def close(self) -> None:
        for wire in self._wires:
            wire.close()
        self._wires = []


def test_after_so_many_stalls_one_after_another_no_peer_is_asked_again() -> None:
    with Peers(InTurn([SILENT] * STALLS_MAX)) as peers:
        for _ in range(STALLS_MAX):
            with pytest.raises(PeerFault, match="stalls"):
                peers.fresh(MINE)
        for _ in range(2):
            with pytest.raises(NotOffered, match="the peer stalled 3 times one after another"):
                peers.fresh(MINE)


def test_who_answers_between_two_stalls_is_put_to_all() -> None:
    most = [SILENT] * (STALLS_MAX - 1)
    with Peers(InTurn([*most, GREETS, *most, GREETS])) as peers:
        for greets in (*most, GREETS, *most, GREETS):
            if greets:
                peers.fresh(MINE)
                continue
            with pytest.raises(PeerFault, match="stalls"):
                peers.fresh(MINE)


def test_the_cases_that_are_left_are_skipped() -> None:
    target = Target("host", "a fake", STRANGER, BINDING[STRANGER])
    with Peers(InTurn([GREETS] * STALLS_MAX)) as peers:
        found = [
            run_host_case(case, "1.4", target, hosts_of(peers)).result
            for case in [HOST_CASES[0]] * (STALLS_MAX + 2)
        ]
    assert found == ["failed"] * STALLS_MAX + ["skipped"] * 2
