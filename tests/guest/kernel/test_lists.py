# SPDX-License-Identifier: MIT
"""Lists: what a walker meets when others change the list under its feet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guest.kernel.faults import ListCorruption, NullDereference
from guest.kernel.lists import ListHead, ListNode
from guest.kernel.memory import Allocated


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
