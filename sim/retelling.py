# SPDX-License-Identifier: MIT
"""What happened in an input, as bytes that the library keeps, and a whole run made of those.

The bytes are pickles: who reads them has written them, or another process of the same campaign.
Knows no law and no verdict.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple, TypeAlias

from guest.kernel.context import Context
from guest.native.known import Known
from sim.scenario import Wait

Happened: TypeAlias = tuple[int, Any, Any]  # when, who was running, the event


class Teller(NamedTuple):
    """Stands where the context was that was running; equal ones were the same in a run."""

    name: str
    label: str


class Ending(NamedTuple):
    """How the outside was when nothing could happen any more.

    ``held_relids`` are the host's, ``waits`` the steps of actors who wait for an event yet.
    """

    held_relids: tuple[int, ...]
    waits: tuple[Wait, ...]


class Waiter(NamedTuple):
    """Stands where an actor was who waits."""

    at: Wait
    refused: None = None


def told(happened: Sequence[tuple[int, Context | None, Any]]) -> bytes:
    """What happened in an input; nothing if nothing did. The time is the input's."""
    if not happened:
        return b""
    rows = [(who and Teller(who.name, who.label), event) for _, who, event in happened]
    return pickle.dumps(rows, pickle.HIGHEST_PROTOCOL)


def ended(ending: Ending) -> bytes:
    """What there is to tell of the input that ends a run."""
    return pickle.dumps(ending, pickle.HIGHEST_PROTOCOL)


class Retelling:
    """Makes runs of what the library has remembered of their inputs."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._read = cache(self._unpickled)

    def run(self) -> tuple[list[Happened], Ending]:
        """The run that the library has just played."""
        *inputs, (end, _) = self._known.path()
        read = self._read
        happened = [(at_ns, who, event) for number, at_ns in inputs for who, event in read(number)]
        return happened, read(end)

    def _unpickled(self, number: int) -> Any:
        return pickle.loads(self._known.events(number))
