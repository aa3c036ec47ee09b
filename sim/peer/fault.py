# SPDX-License-Identifier: MIT
"""What can be wrong with a peer in another process. Each is a result, told in one line."""

from __future__ import annotations


class PeerFault(Exception):
    """The peer did what none may do: it died, stalled, flooded us or talked nonsense."""


class PeerLeft(PeerFault):
    """The peer is not there any more."""


class Unreachable(Exception):
    """There is no peer: nobody listens, no such command. One line, with the remedy."""
