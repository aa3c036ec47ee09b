# SPDX-License-Identifier: MIT
"""Contexts: what can run in the guest, and what each of them is waiting for.

A context is a coroutine with a kind and a CPU. It knows nothing of who chooses the next one: a
``Scheduler`` (the engine, in ``sim``) does, through the port declared here.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from guest.kernel.cpu import Cpu


class Kind(IntEnum):
    """In rising order of what may interrupt what. ACTOR and HOST are outside the guest's CPUs."""

    THREAD = 0
    WORK = 1
    SOFTIRQ = 2
    HARDIRQ = 3
    ACTOR = 4
    HOST = 5


class Steps(Protocol):
    """What a context does: a coroutine, or whatever else goes on from one trap to the next."""

    def send(self, value: None, /) -> Any:
        """Go on to the next trap; what it returns names it. Raises StopIteration at the end."""

    def close(self) -> None:
        """Go no further."""


class Context:
    """One flow of control. ``ready`` is False while it waits, spins or burns time.

    ``title`` says what it is, as traces have it; ``name`` is the title, made unique within a run by
    a scheduler that chooses orders (the second of a title is ``title#2``). ``at`` is the point at
    which it is stopped, ``start`` before its first step; ``stop`` is the scheduler's number of that
    stop.
    ``preempt_off``, ``bh_off`` and ``irqs_off`` are depths, as Linux's preempt_count and flags are
    while this context is on its CPU. ``held`` lists the locks it owns, oldest first.
    """

    __slots__ = (
        "at",
        "bh_off",
        "busy_since_ns",
        "coroutine",
        "cpu",
        "done",
        "held",
        "irqs_off",
        "joiner",
        "kind",
        "name",
        "preempt_off",
        "ready",
        "stop",
        "timer",
        "title",
        "waiting_for",
    )

    def __init__(self, title: str, kind: Kind, cpu: Cpu | None, coroutine: Steps) -> None:
        self.title = title
        self.name = title
        self.at = "start"
        self.stop = 0
        self.kind = kind
        self.cpu = cpu
        self.coroutine = coroutine
        self.ready = False
        self.done = False
        self.preempt_off = 0
        self.bh_off = 0
        self.irqs_off = 0
        self.held: list[object] = []
        self.busy_since_ns: int | None = None  # it waits without leaving its CPU since then
        self.waiting_for: object = None  # a lock, a wait queue, or None
        self.timer: list[Any] | None = None  # the scheduler's handle of a pending deadline
        self.joiner: Context | None = None  # who waits for this one's end

    @property
    def atomic(self) -> bool:
        """True where sleeping is forbidden (Linux: in_atomic() or irqs_disabled())."""
        return (
            self.kind in (Kind.SOFTIRQ, Kind.HARDIRQ)
            or self.preempt_off > 0
            or self.bh_off > 0
            or self.irqs_off > 0
        )

    @property
    def label(self) -> str:
        """As traces have it: ``actor:TITLE``, or ``KIND/CPU:TITLE`` (``work/0:hv_pci_1``).

        The CPUs of a second kernel are ``2.0`` and so on.
        """
        place = "" if self.cpu is None else f"/{self.cpu.place}"
        return f"{self.kind.name.lower()}{place}:{self.title}"

    def __repr__(self) -> str:
        return f"<{self.label}>"


class TakenLock(NamedTuple):
    """A lock that somebody waits for, by name, and who had it then."""

    name: str
    owner: Context

    def __str__(self) -> str:
        return self.name


class WaitQueue:
    """Contexts asleep until somebody wakes them, first in first out."""

    __slots__ = ("name", "waiters")

    def __init__(self, name: str) -> None:
        self.name = name
        self.waiters: list[Context] = []

    def __repr__(self) -> str:
        return self.name


class Scheduler(Protocol):
    """What the guest kernel asks of whoever runs its contexts."""

    def now_ns(self) -> int:
        """Simulated time in nanoseconds."""

    def start(self, context: Context) -> None:
        """A new context exists and may run as soon as its CPU lets it."""

    def goes_on(self, point: str) -> bool:
        """Whether the current context goes on at once at this point; else it is to suspend."""

    def contexts_of(self, cpu: Cpu) -> list[Context]:
        """The contexts bound to a CPU that have not ended, oldest first."""

    def drop(self, context: Context) -> None:
        """A context that has not begun never will."""

    def wake(self, context: Context) -> None:
        """A context that waited may run again; waking a ready or finished one does nothing."""

    def wake_at(self, context: Context, at_ns: int) -> None:
        """Wake the context at that time unless it is woken before."""
