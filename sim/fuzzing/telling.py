# SPDX-License-Identifier: MIT
"""What a fuzzed life has to say when it ends badly, and how much there was of it when not."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import Final

from sim.fuzzing.packets import RawPacket

STEPS_TOLD: Final = 12  # before the one that went wrong; mostly the last two matter


class Broken(Exception):
    """A life in which something is not as it must be; the text has every step that led there."""


class Trail:
    """What was done in a life, and how much of what kind.

    ``packets`` were written; ``survived`` are those of them that somebody could read, and after
    which all was as it must be. ``ended_by``: the open items that ended the life, if any did.
    """

    def __init__(self) -> None:
        self.packets = 0
        self.survived = 0
        self.ended_by = ""
        self.counts: Counter[str] = Counter()
        self._unjudged = 0
        self._steps: deque[str] = deque(maxlen=STEPS_TOLD)

    @property
    def steps(self) -> tuple[str, ...]:
        """The last steps, in words."""
        return tuple(self._steps)

    @property
    def unjudged(self) -> int:
        """How many packets were written since all was last as it must be."""
        return self._unjudged

    def step(self, what: str) -> None:
        """Something that is no packet was done."""
        self.counts[what.partition(" ")[0]] += 1
        self._steps.append(what)

    def packet(self, packet: RawPacket) -> None:
        """A packet was written."""
        self._written()
        descriptor = f"type {packet.packet_type} flags {packet.flags:#x}"
        if packet.lies:
            descriptor += f" offset8 {packet.offset8} len8 {packet.len8}"
        self._steps.append(
            f"packet {self.packets}: {descriptor} id {packet.transaction_id:#x}"
            f" {packet.payload.hex() or '(empty)'}"
        )

    def message(self, payload: bytes) -> None:
        """A control message was posted."""
        self._written()
        self._steps.append(f"packet {self.packets}: control message {payload.hex() or '(empty)'}")

    def survive(self, unread: int = 0) -> None:
        """All is as it must be, after all packets so far but those that nobody could read."""
        self.survived += self._unjudged - unread
        self._unjudged = 0

    def _written(self) -> None:
        self.packets += 1
        self._unjudged += 1

    def broken(self, complaints: Sequence[str]) -> Broken:
        """The exception that says so."""
        return Broken("\n".join((*complaints, "after:", *(f"  {step}" for step in self._steps))))
