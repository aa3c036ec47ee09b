# SPDX-License-Identifier: MIT
"""What is remembered while a failing schedule is played again: where each object was allocated and
freed, and where each event happened. Judges nothing; adds stacks to what others found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from guest.kernel import memory
from guest.kernel.faults import GuestFault
from guest.kernel.memory import Allocated, Heap
from sim.stacks import Frames, of_caller, of_fault
from sim.violation import Leak, Violation, Whose

LEAKS_TOLD_MAX: Final = 8  # stacks of lost objects; more of them were lost in the same ways


class Taken(NamedTuple):
    """One stack: of which context (a label), and when."""

    frames: Frames
    context: str
    at_ns: int


class RecordingHeap(Heap):
    """A slab that remembers who allocated and freed each object, and keeps the dead for that.

    ``whose`` gives the label of the running context and the time.
    """

    __slots__ = ("_histories", "_whose")

    def __init__(self, whose: Callable[[], tuple[str, int]]) -> None:
        super().__init__()
        self._whose = whose
        self._histories: dict[int, tuple[object, dict[str, Taken]]] = {}

    def add(self, obj: Allocated) -> None:
        """``obj`` is live from now on."""
        super().add(obj)
        self._histories[id(obj)] = (obj, {"allocated": self._take()})

    def free(self, obj: Allocated | None) -> None:
        """As :meth:`Heap.free`; what is embedded in the object has the object's history."""
        entry = self._histories.get(id(obj))
        parts = list(_embedded(obj)) if obj is not None and not memory.is_dead(obj) else []
        super().free(obj)
        if entry is None:
            return
        entry[1]["freed"] = self._take()
        for part in parts:
            self._histories[id(part)] = (part, entry[1])

    def history(self, obj: object) -> dict[str, Taken]:
        """``allocated`` and ``freed`` of the object, as far as they have happened."""
        entry = self._histories.get(id(obj))
        return {} if entry is None else entry[1]

    def _take(self) -> Taken:
        return Taken(of_caller(), *self._whose())


def _embedded(obj: Allocated) -> Iterator[Allocated]:
    for name in type(obj).EMBEDDED:
        part = getattr(obj, name)
        if isinstance(part, Allocated) and not memory.is_dead(part):
            yield part
            yield from _embedded(part)


class Reading:
    """A trace as it is read; ``index`` is the event that was read last, counted from 0."""

    __slots__ = ("_events", "index")

    def __init__(self, events: Sequence[Any]) -> None:
        self._events = events
        self.index = -1

    def __iter__(self) -> Iterator[Any]:
        for event in self._events:
            self.index += 1
            yield event


class Recorder:
    """The memory of one run. ``whose`` gives the label of the running context and the time.

    ``heap`` is that of the kernel which runs.
    """

    def __init__(self, whose: Callable[[], tuple[str, int]]) -> None:
        self._whose = whose
        self.heap = RecordingHeap(whose)
        self._events: list[Frames] = []

    def new_heap(self) -> RecordingHeap:
        """The slab of a kernel that is being booted; what became of a dead one's is forgotten."""
        self.heap = RecordingHeap(self._whose)
        return self.heap

    def watching(self, emit: Callable[[Any], None]) -> Callable[[Any], None]:
        """``emit``, after a look at who calls it."""

        def remember(event: Any) -> None:
            self._events.append(of_caller())
            emit(event)

        return remember

    def with_event(self, violation: Violation, index: int) -> Violation:
        """The violation with the stack of the event, counted from 0, that broke the law."""
        access = Taken(self._events[index], violation.context, violation.at_ns)
        return with_stacks(violation, [("access", access)])

    def with_leaks(self, violation: Violation, leaks: Iterable[Leak]) -> Violation:
        """The violation with where its objects were allocated, if none of their class is in use."""
        taken = [found for leak in leaks for found in self._lost(leak)]
        return with_stacks(violation, [("allocated", each) for each in taken[:LEAKS_TOLD_MAX]])

    def _lost(self, leak: Leak) -> list[Taken]:
        alive = [obj for obj in self.heap.objects() if type(obj).__name__ == leak.what]
        if leak.known is not None or len(alive) != leak.count:
            return []
        return [self.heap.history(obj)["allocated"] for obj in alive]


def judge_fault(
    error: Exception, *, kind: str, law: str, whose: tuple[str, int], recorder: Recorder | None
) -> Violation:
    """The violation of an exception that ended a run: where it was raised and, if somebody has
    recorded that, where the object it is about was allocated and freed."""
    context, at_ns = whose
    frames = of_fault(error)
    taken: dict[str, Taken] = {"access": Taken(frames, context, at_ns)} if frames else {}
    if recorder is not None and isinstance(error, GuestFault):
        taken |= recorder.heap.history(error.culprit)
        taken |= {what: _of_fault(what, told, whose) for what, told in error.stacks().items()}
    return with_stacks(Violation(kind, law, str(error), context, at_ns), list(taken.items()))


def _of_fault(what: str, frames: Frames, whose: tuple[str, int]) -> Taken:
    """A stack that the fault has brought along; only who did it, and when, is known here."""
    return Taken(frames, *(whose if what == "access" else ("", 0)))


def with_stacks(violation: Violation, taken: Sequence[tuple[str, Taken]]) -> Violation:
    """The violation with these stacks, each under the word that says what was done there."""
    return msgspec.structs.replace(
        violation,
        stacks=tuple(stack.frames for _, stack in taken),
        whose=tuple(Whose(what, stack.context, stack.at_ns) for what, stack in taken),
    )
