# SPDX-License-Identifier: MIT
"""What a run came to, as a value. Field names are those that ``run --json`` prints."""

from __future__ import annotations

import msgspec

from sim.messages import Message
from sim.trace import Stamped
from sim.violation import Leak, Violation


class GuestError(msgspec.Struct, frozen=True):
    """A guest function, or somebody's command, came back with a negative errno (ENODEV: -19)."""

    function: str
    errno: int


class Final(msgspec.Struct, frozen=True):
    """What is left: each bus's state, the guest's PCI devices, what leaked."""

    bus_state: dict[str, str]
    devices: tuple[dict[str, object], ...]
    leaks: tuple[Leak, ...]


class Verdict(msgspec.Struct, frozen=True):
    """How a run is judged. ``verdict`` is ``clean``, ``known`` or ``violation``.

    ``explained`` is what ended a run early that an open item accounts for, so that it is no
    violation.
    """

    verdict: str
    violation: Violation | None
    known: tuple[str, ...]
    leaks: tuple[Leak, ...]
    explained: Violation | None = None


class RunResult(msgspec.Struct, frozen=True):
    """One run, told. ``known``: the open items that showed; ``log``: the guest's, with times.

    ``explained`` is as :class:`Verdict` has it.
    """

    scenario: str
    driver: str
    seed: int
    protocol: str | None
    profile: str
    verdict: str
    violation: Violation | None
    known: tuple[str, ...]
    explained: Violation | None
    errors: tuple[GuestError, ...]
    messages: tuple[Message, ...]
    final: Final
    ended_at_ns: int
    trace: tuple[Stamped, ...]
    log: tuple[tuple[int, str, str], ...]
