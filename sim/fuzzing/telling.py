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
    """What was done in a life, and how much of what kind."""

    def __init__(self) -> None:
        self.packets = 0
        self.counts: Counter[str] = Counter()
        self._steps: deque[str] = deque(maxlen=STEPS_TOLD)

    @property
    def steps(self) -> tuple[str, ...]:
        """The last steps, in words."""
        return tuple(self._steps)

    def step(self, what: str) -> None:
        """Something that is no packet was done."""
        self.counts[what.partition(" ")[0]] += 1
        self._steps.append(what)

    def packet(self, packet: RawPacket) -> None:
        """A packet was written."""
        self.packets += 1
        descriptor = f"type {packet.packet_type} flags {packet.flags:#x}"
        if packet.lies:
            descriptor += f" offset8 {packet.offset8} len8 {packet.len8}"
        self._steps.append(
            f"packet {self.packets}: {descriptor} id {packet.transaction_id:#x}"
            f" {packet.payload.hex() or '(empty)'}"
        )

    def message(self, payload: bytes) -> None:
        """A control message was posted."""
        self.packets += 1
        self._steps.append(f"packet {self.packets}: control message {payload.hex() or '(empty)'}")

    def broken(self, complaints: Sequence[str]) -> Broken:
        """The exception that says so."""
        return Broken("\n".join((*complaints, "after:", *(f"  {step}" for step in self._steps))))
