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

    Walking it while others change it does what it does in C: a node that is deleted is poisoned,
    and a walker whose next step reads it raises :class:`ListCorruption`. Which node that is depends
    on the way of walking: iteration stands on the current one, :meth:`safe` on the one after it.
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
        """list_for_each_entry(): the way on is read from the current entry after the body."""
        node = self.root.next
        while node is not self.root:
            member = self._member(node)
            yield member.owner
            node = member.next

    def safe(self) -> Iterator[T]:
        """list_for_each_entry_safe(): the body may take the current entry off, but not the next."""
        node = self.root.next
        while node is not self.root:
            member = self._member(node)
            node = member.next
            yield member.owner

    def safe_reverse(self) -> Iterator[T]:
        """list_for_each_entry_safe_reverse(): as :meth:`safe`, from the last to the first."""
        node = self.root.prev
        while node is not self.root:
            member = self._member(node)
            node = member.prev
            yield member.owner

    def _member(self, node: ListNode | None) -> ListNode:
        """Poison, or a node of another list, is a wild pointer in C."""
        if node is None or node.list is not self:
            raise ListCorruption(f"walked off {self.name} over a node that has left it")
        return node
