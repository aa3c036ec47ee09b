# SPDX-License-Identifier: MIT
"""Fresh peers, one at a time, and the end of each. Knows no role."""

from __future__ import annotations

from typing import Final, Self

from protocol.peer_port import Hello
from sim.peer.limits import LIMITS, Limits
from sim.peer.reach import Connected, Spawned, Way
from sim.peer.talk import Talk


class Peers:
    """Whoever is at the end of a way; a context manager that leaves nothing behind."""

    def __init__(self, way: Way) -> None:
        self._way: Final = way
        self._talk: Talk | None = None

    @property
    def name(self) -> str:
        """How the user called it."""
        return self._way.name

    def fresh(self, mine: Hello) -> Talk:
        """End the last peer and greet a new one. Raises Unreachable, PeerFault."""
        self.close()
        self._talk = Talk(self._way.open(), mine)
        return self._talk

    def close(self) -> None:
        """End the peer that there is."""
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
