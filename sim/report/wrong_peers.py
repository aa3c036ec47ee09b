# SPDX-License-Identifier: MIT
"""The table of peers that are wrong on purpose: what each does, and which cases catch it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple


class WrongPeer(NamedTuple):
    """``does`` completes "a guest that", "a host that"; ``caught_by`` are ids of cases."""

    does: str
    caught_by: tuple[str, ...]


def wrong_peers_dict(side: str, peers: Iterable[WrongPeer]) -> dict[str, Any]:
    """What ``--json`` prints."""
    return {"target": side, "wrong_peers": [peer._asdict() for peer in peers]}


def wrong_peer_lines(side: str, peers: Iterable[WrongPeer]) -> Iterator[str]:
    """A line for each."""
    rows = [(f"a {side} that {peer.does}", ", ".join(peer.caught_by)) for peer in peers]
    width = max((len(does) for does, _ in rows), default=0)
    yield from (f"{does:<{width}}  {caught or 'nothing catches it'}" for does, caught in rows)
