# SPDX-License-Identifier: MIT
"""Lists: what a walker meets when others change the list under its feet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guest.kernel.faults import ListCorruption, NullDereference, UseAfterFree
from guest.kernel.lists import ListHead, ListNode
from guest.kernel.memory import Allocated, bury


class Thing(Allocated):
    __slots__ = ("list_entry", "other")
    EMBEDDED = ("list_entry",)

    def __init__(self, other: object = None) -> None:
        self.other = other
        self.list_entry = ListNode(self)


def test_deleting_a_list_entry_twice_is_caught() -> None:
    things: ListHead[Thing] = ListHead("things")
    thing = Thing()
    things.add_tail(thing)
    things.delete(thing)
    with pytest.raises(ListCorruption):
        things.delete(thing)


def three() -> tuple[ListHead[Thing], list[Thing]]:
    things: ListHead[Thing] = ListHead("things")
    plain = [Thing() for _ in range(3)]
    for thing in plain:
        things.add_tail(thing)
    return things, plain


def test_a_safe_walker_survives_the_removal_of_the_entry_it_stands_on() -> None:
    for walk in (ListHead.safe, ListHead.safe_reverse):
        things, _ = three()
        for thing in walk(things):
            things.delete(thing)
        assert things.empty()


def test_a_safe_walker_whose_next_entry_is_removed_walks_onto_poison() -> None:
    for walk in (ListHead.safe, ListHead.safe_reverse):
        things, (_, second, _) = three()
        walker = walk(things)
        next(walker)
        things.delete(second)
        with pytest.raises(ListCorruption):
            next(walker)


def test_a_plain_walker_stumbles_over_the_removal_of_the_entry_it_stands_on() -> None:
    things, (first, _, _) = three()
    walker = iter(things)
    assert next(walker) is first
    things.delete(first)
    with pytest.raises(ListCorruption):
        next(walker)


def test_a_plain_walker_whose_entry_is_freed_reads_after_its_lifetime() -> None:
    things, (first, _, _) = three()
    walker = iter(things)
    next(walker)
    bury(first, "FREED_TWIN")
    with pytest.raises(UseAfterFree):
        next(walker)


def test_a_plain_walker_does_not_follow_its_entry_into_another_list() -> None:
    things, (first, _, _) = three()
    others: ListHead[Thing] = ListHead("others")
    walker = iter(things)
    next(walker)
    things.move_tail(first, others)
    with pytest.raises(ListCorruption):
        next(walker)


def test_a_plain_walker_sees_what_happened_to_the_next_entry() -> None:
    things, (first, second, third) = three()
    walker = iter(things)
    assert next(walker) is first
    things.delete(second)
    last = Thing()
    things.add_tail(last)
    assert list(walker) == [third, last]


def test_walking_backwards_meets_the_last_entry_first() -> None:
    things, plain = three()
    assert list(things.safe_reverse()) == plain[::-1]


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
