# SPDX-License-Identifier: MIT
"""Fresh peers, one at a time, and the end of each. Knows no role."""

from __future__ import annotations

from typing import Final, Self

from protocol.peer_port import Hello
from sim.conformance.case import NotOffered
from sim.peer.limits import LIMITS, STALLS_MAX, Limits
from sim.peer.reach import Connected, Spawned, Way
from sim.peer.talk import Talk
from sim.peer.wire import Wire


class Peers:
    """Whoever is at the end of a way; a context manager that leaves nothing behind."""

    def __init__(self, way: Way) -> None:
        self._way: Final = way
        self._talk: Talk | None = None
        self._wire: Wire | None = None
        self._stalls = 0  # one after another

    @property
    def name(self) -> str:
        """How the user called it."""
        return self._way.name

    def fresh(self, mine: Hello) -> Talk:
        """End the last peer and greet a new one. Raises Unreachable, PeerFault.

        Raises NotOffered once the last ``STALLS_MAX`` have stalled: each costs its whole time-out.
        """
        self.close()
        if self._stalls == STALLS_MAX:
            raise NotOffered(f"the peer stalled {STALLS_MAX} times one after another")
        self._wire = self._way.open()
        self._talk = Talk(self._wire, mine)
        return self._talk

    def close(self) -> None:
        """End the peer that there is."""
        if self._wire is not None:
            self._stalls = self._stalls + 1 if self._wire.has_stalled else 0
            self._wire = None
        if self._talk is not None:
            self._talk.end()
            self._talk = None
        self._way.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connect(address: str, limits: Limits = LIMITS) -> Peers:
    """Peers behind ``unix:PATH``. Raises Unreachable for another address."""
    return Peers(Connected(address, limits))


def spawn(command: str, limits: Limits = LIMITS) -> Peers:
    """Peers that a command line starts. Raises Unreachable for what is none."""
    return Peers(Spawned(command, limits))
