# SPDX-License-Identifier: MIT
"""Lifetimes: whatever touches an object after its end is caught at that line."""

from __future__ import annotations

import operator

import pytest

from guest.kernel.faults import (
    DeadStack,
    DoubleFree,
    RefCountUnderflow,
    Uninitialised,
    UseAfterFree,
)
from guest.kernel.leaks import unreachable
from guest.kernel.lists import ListNode
from guest.kernel.memory import Allocated, Heap, RefCount, StackFrame


class Thing(Allocated):
    __slots__ = ("list_entry", "other")
    EMBEDDED = ("list_entry",)

    def __init__(self, other: object = None) -> None:
        self.other = other
        self.list_entry = ListNode(self)


def thing_on(heap: Heap, other: object = None) -> Thing:
    thing = Thing(other)
    heap.add(thing)
    return thing


def test_reading_a_freed_object_is_caught() -> None:
    heap = Heap()
    thing = thing_on(heap)
    heap.free(thing)
    with pytest.raises(UseAfterFree, match=r"Thing\.other read"):
        _ = thing.other


def test_writing_a_freed_object_is_caught() -> None:
    heap = Heap()
    thing = thing_on(heap)
    heap.free(thing)
    with pytest.raises(UseAfterFree, match=r"Thing\.other written"):
        thing.other = 1


def test_what_is_embedded_dies_with_its_object() -> None:
    heap = Heap()
    thing = thing_on(heap)
    node = thing.list_entry
    heap.free(thing)
    with pytest.raises(UseAfterFree):
        _ = node.next


class Answer(Allocated):
    __slots__ = ("here", "status")
    status: int

    def __init__(self) -> None:
        self.here = False


class LongAnswer(Answer):
    __slots__ = ()


@pytest.mark.parametrize("cls", [Answer, LongAnswer])
def test_reading_what_nobody_wrote_is_caught(cls: type[Answer]) -> None:
    answer = cls()
    assert not answer.here
    with pytest.raises(Uninitialised, match=rf"{cls.__name__}\.status read"):
        _ = answer.status
    answer.status = 0
    assert answer.status == 0


def test_a_name_that_an_object_never_had_is_a_slip_and_no_fault() -> None:
    with pytest.raises(AttributeError, match="state"):
        operator.attrgetter("state")(Answer())


def test_what_was_never_written_is_dead_all_the_same_once_it_is_freed() -> None:
    heap = Heap()
    answer = Answer()
    heap.add(answer)
    heap.free(answer)
    with pytest.raises(UseAfterFree):
        _ = answer.status


def test_freeing_twice_is_caught_and_freeing_nothing_is_not() -> None:
    heap = Heap()
    thing = thing_on(heap)
    heap.free(None)
    heap.free(thing)
    with pytest.raises(DoubleFree):
        heap.free(thing)


def test_an_object_of_a_returned_frame_is_dead() -> None:
    frame = StackFrame("function")
    thing = frame.own(Thing())
    frame.leave()
    with pytest.raises(DeadStack):
        _ = thing.other


def test_a_reference_count_never_goes_below_zero_or_back_from_it() -> None:
    refs = RefCount(1)
    refs.get()
    assert [refs.put(), refs.put()] == [False, True]
    with pytest.raises(RefCountUnderflow):
        refs.put()
    with pytest.raises(RefCountUnderflow):
        refs.get()


def test_an_object_nobody_reaches_is_a_leak() -> None:
    heap = Heap()
    kept = thing_on(heap, other=[thing_on(heap)])
    thing_on(heap)
    assert unreachable(heap, [kept]) == {"Thing": 1}
    assert heap.census() == {"Thing": 3}
