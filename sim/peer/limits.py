# SPDX-License-Identifier: MIT
"""How long a peer may take in real time, and how much it may say."""

from __future__ import annotations

from typing import Final, NamedTuple


class Limits(NamedTuple):
    """``answer_s``: for an answer, and for the peer to take what it is sent; a debugger's user may
    want more. ``end_s``: to end by itself when it is told to. ``connect_s``: until somebody listens
    where we connect, which the peer may just be about to. ``frames``: until it has answered, which
    a guest that looks again and again for what does not come exceeds. ``unread_bytes``: held of
    what it says while it takes nothing.
    """

    answer_s: float = 10.0
    end_s: float = 2.0
    connect_s: float = 5.0
    frames: int = 20_000
    unread_bytes: int = 1 << 22


STALLS_MAX: Final = 3  # one after another; who has stalled so often will stall in each case to come
EVENTS_MAX: Final = 1_000_000  # of one life: they are kept for its trace
LIMITS: Final = Limits()
