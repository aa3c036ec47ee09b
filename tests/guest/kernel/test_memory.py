# SPDX-License-Identifier: MIT
"""Lifetimes: whatever touches an object after its end is caught at that line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guest.kernel.faults import (
    DeadStack,
    DoubleFree,
    ListCorruption,
    NullDereference,
    RefCountUnderflow,
    UseAfterFree,
)
from guest.kernel.leaks import unreachable
from guest.kernel.memory import (
    PAGE_BYTES,
    Allocated,
    Heap,
    ListHead,
    ListNode,
    PhysicalMemory,
    RefCount,
    StackFrame,
)


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


def test_deleting_a_list_entry_twice_is_caught() -> None:
    things: ListHead[Thing] = ListHead("things")
    thing = Thing()
    things.add_tail(thing)
    things.delete(thing)
    with pytest.raises(ListCorruption):
        things.delete(thing)


def test_a_walker_survives_the_removal_of_the_entry_it_stands_on() -> None:
    things: ListHead[Thing] = ListHead("things")
    for _ in range(3):
        things.add_tail(Thing())
    for thing in things:
        things.delete(thing)
    assert things.empty()


def test_a_walker_whose_next_entry_is_removed_walks_onto_poison() -> None:
    things: ListHead[Thing] = ListHead("things")
    first, second = Thing(), Thing()
    things.add_tail(first)
    things.add_tail(second)
    walker = iter(things)
    assert next(walker) is first
    things.delete(second)
    with pytest.raises(ListCorruption):
        list(walker)


def test_the_first_entry_of_an_empty_list_is_a_wild_pointer() -> None:
    with pytest.raises(NullDereference):
        ListHead[Thing]("things").first()


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 7))))
def test_a_list_holds_what_a_plain_list_would(steps: list[tuple[bool, int]]) -> None:
    things: ListHead[Thing] = ListHead("things")
    plain: list[Thing] = []
    for add, index in steps:
        if add or not plain:
            thing = Thing()
            things.add_tail(thing)
            plain.append(thing)
        else:
            things.delete(plain.pop(index % len(plain)))
    assert list(things) == plain


def test_an_object_nobody_reaches_is_a_leak() -> None:
    heap = Heap()
    kept = thing_on(heap, other=[thing_on(heap)])
    thing_on(heap)
    assert unreachable(heap, [kept]) == {"Thing": 1}
    assert heap.census() == {"Thing": 3}


def test_pages_are_shared_bytes_and_are_freed_once() -> None:
    memory = PhysicalMemory()
    gpa, block = memory.alloc_pages(2)
    memory.window(gpa, PAGE_BYTES)[5] = 7
    assert block[5] == 7
    memory.free_pages(gpa)
    with pytest.raises(DoubleFree):
        memory.free_pages(gpa)
    with pytest.raises(LookupError):
        memory.window(gpa, PAGE_BYTES)
