# SPDX-License-Identifier: MIT
"""struct list_head: nodes embedded in objects, poisoned when they are deleted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from guest.kernel.faults import ListCorruption, NullDereference
from guest.kernel.memory import Allocated

T = TypeVar("T", bound=Allocated)


class ListNode(Allocated):
    """struct list_head embedded in an object: linked into one list, or poisoned after list_del."""

    __slots__ = ("list", "next", "owner", "prev")

    def __init__(self, owner: Any) -> None:
        self.owner = owner
        self.list: ListHead[Any] | None = None
        self.prev: ListNode | None = None
        self.next: ListNode | None = None


class ListHead(Generic[T]):
    """A doubly linked list through the members' ``list_entry`` nodes, as Linux's.

    Walking it while others change it does what it does in C: a node that is deleted under a
    walker's feet is poisoned, and the walker's next step raises :class:`ListCorruption`.
    """

    __slots__ = ("name", "root")

    def __init__(self, name: str) -> None:
        self.name = name
        self.root = ListNode(None)
        self.root.prev = self.root.next = self.root
        self.root.list = self

    def add_tail(self, obj: Any) -> None:
        """list_add_tail()."""
        node: ListNode = obj.list_entry
        last = self.root.prev
        assert last is not None
        node.prev, node.next, node.list = last, self.root, self
        last.next = node
        self.root.prev = node

    def delete(self, obj: Any) -> None:
        """list_del(): unlink and poison."""
        node: ListNode = obj.list_entry
        if node.list is None or node.prev is None or node.next is None:
            raise ListCorruption(f"list_del of a node that is on no list ({self.name})")
        node.prev.next = node.next
        node.next.prev = node.prev
        node.list = node.prev = node.next = None

    def move_tail(self, obj: Any, target: ListHead[T]) -> None:
        """list_move_tail()."""
        self.delete(obj)
        target.add_tail(obj)

    def empty(self) -> bool:
        """list_empty()."""
        return self.root.next is self.root

    def first(self) -> T:
        """list_first_entry(); of an empty list it is a wild pointer in C, a fault here."""
        node = self.root.next
        if node is None or node is self.root:
            raise NullDereference(f"first entry of empty list {self.name}")
        owner: T = node.owner
        return owner

    def __iter__(self) -> Iterator[T]:
        node = self.root.next
        while node is not self.root:
            if node is None:
                raise ListCorruption(f"walked onto a deleted node of {self.name}")
            following = node.next  # read before the body, as list_for_each_entry_safe does
            yield node.owner
            node = following
