# SPDX-License-Identifier: MIT
"""The lab's verdict on a run: a violation as a value, and as what ends a run."""

from __future__ import annotations

import msgspec


class Whose(msgspec.Struct, frozen=True):
    """Of whom a stack is, when it was taken, and what was done there.

    ``what`` is ``access`` (what the violation was found at), ``allocated`` and ``freed`` (the
    object it is about), ``initialised`` and ``returned`` (an object on a stack, and the function
    whose it was), or ``waits`` (a context that can never go on). ``context`` is a label, "" where
    nobody knows who it was.
    """

    what: str
    context: str
    at_ns: int


class Violation(msgspec.Struct, frozen=True):
    """Something the guest or the host must never do.

    ``kind`` is one of ``VIOLATION_KINDS`` (``sim/scenario_grammar.py``).
    ``law`` names the oracle, ``context`` the context that did it, ``at_ns`` is simulated time,
    ``stacks`` hold kernel function names, innermost first, and ``whose`` says of each whose it is.
    """

    kind: str
    law: str
    message: str
    context: str
    at_ns: int
    stacks: tuple[tuple[str, ...], ...] = ()
    whose: tuple[Whose, ...] = ()


class Leak(msgspec.Struct, frozen=True):
    """What is still there and should not be; ``known`` names the open item that explains it."""

    what: str
    count: int
    known: str | None = None
