# SPDX-License-Identifier: MIT
"""What can be wrong with a peer in another process. Each is a result, told in one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.trace import Stamped


class PeerFault(Exception):
    """The peer did what none may do: it died, stalled, flooded us or talked nonsense.

    ``trace`` is what had happened by then, where somebody kept it.
    """

    trace: Sequence[Stamped] = ()


class PeerLeft(PeerFault):
    """The peer is not there any more."""


class Unreachable(Exception):
    """There is no peer: nobody listens, no such command. One line, with the remedy."""


def nonsense(what: str) -> PeerFault:
    """The fault of a peer that says what makes no sense."""
    return PeerFault(f"the peer talks nonsense: {what}")
