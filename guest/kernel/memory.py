# SPDX-License-Identifier: MIT
"""Lifetimes: the slab, stack frames, reference counts, lists, and physical pages.

A freed object becomes a poisoned twin of its class: same layout, but every access raises. So the
code that uses objects carries no checks. The twins are made when the class is defined.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar, Generic, NoReturn, TypeVar

from guest.kernel.faults import (
    DeadStack,
    DoubleFree,
    GuestFault,
    ListCorruption,
    NullDereference,
    RefCountUnderflow,
    UseAfterFree,
)

PAGE_BYTES = 4096
GFP_KERNEL = "GFP_KERNEL"
GFP_ATOMIC = "GFP_ATOMIC"

T = TypeVar("T", bound="Allocated")


class Allocated:
    """Base of everything that can be freed or die with a stack frame.

    ``EMBEDDED`` names attributes that hold objects embedded in this one in C (locks, work items,
    list nodes): they die with it.
    """

    __slots__ = ()
    EMBEDDED: ClassVar[tuple[str, ...]] = ()
    FREED_TWIN: ClassVar[type]
    DEAD_TWIN: ClassVar[type]
    BURIED: ClassVar[bool] = False  # true of the twins only

    def __init_subclass__(cls, *, twin: bool = False) -> None:
        super().__init_subclass__()
        if not twin:
            cls.FREED_TWIN = _twin(cls, UseAfterFree)
            cls.DEAD_TWIN = _twin(cls, DeadStack)


def _twin(cls: type[Allocated], fault: type[GuestFault]) -> type:
    """A subclass of the same layout whose every attribute access raises ``fault``."""
    name = cls.__name__

    def refuse_read(_self: object, attribute: str) -> NoReturn:
        raise fault(f"{name}.{attribute} read after its lifetime")

    def refuse_write(_self: object, attribute: str, _value: object) -> NoReturn:
        raise fault(f"{name}.{attribute} written after its lifetime")

    def describe(_self: object) -> str:
        return f"<dead {name}>"

    body = {
        "__slots__": (),
        "BURIED": True,
        "__getattribute__": refuse_read,
        "__setattr__": refuse_write,
        "__repr__": describe,
    }
    return type.__new__(type, f"Dead{name}", (cls,), body, twin=True)


def bury(obj: Allocated, twin_of: str) -> None:
    """Turn ``obj`` and what is embedded in it into the twin named by the class attribute."""
    cls = type(obj)
    for attribute in cls.EMBEDDED:
        embedded = getattr(obj, attribute)
        if isinstance(embedded, Allocated):
            bury(embedded, twin_of)
    object.__setattr__(obj, "__class__", getattr(cls, twin_of))


def is_dead(obj: object) -> bool:
    """True for a poisoned twin; the only question one may be asked."""
    return getattr(type(obj), "BURIED", False)


class Heap:
    """The slab: what is allocated, by identity, for the census at the end."""

    __slots__ = ("_live",)

    def __init__(self) -> None:
        self._live: dict[int, Allocated] = {}

    def add(self, obj: Allocated) -> None:
        """``obj`` is live from now on."""
        self._live[id(obj)] = obj

    def free(self, obj: Allocated | None) -> None:
        """kfree(); freeing nothing is allowed, freeing twice raises :class:`DoubleFree`."""
        if obj is None:
            return
        if self._live.pop(id(obj), None) is None:
            raise DoubleFree(f"kfree() of {obj!r}")
        bury(obj, "FREED_TWIN")

    def census(self) -> dict[str, int]:
        """Live objects by class name, sorted by name."""
        return dict(sorted(Counter(type(obj).__name__ for obj in self._live.values()).items()))

    def objects(self) -> list[Allocated]:
        """Everything that is live, oldest first."""
        return list(self._live.values())

    def live(self, cls: type[T]) -> list[T]:
        """The live objects of one class, oldest first."""
        return [obj for obj in self._live.values() if isinstance(obj, cls)]


class StackFrame:
    """What lives on a context's stack in one function; dead once the function has returned."""

    __slots__ = ("_owned", "function")

    def __init__(self, function: str) -> None:
        self.function = function
        self._owned: list[Allocated] = []

    def own(self, obj: T) -> T:
        """``obj`` lives in this frame."""
        self._owned.append(obj)
        return obj

    def leave(self) -> None:
        """The function returns: what it owned is dead."""
        for obj in self._owned:
            bury(obj, "DEAD_TWIN")
        self._owned.clear()


class RefCount:
    """refcount_t."""

    __slots__ = ("value",)

    def __init__(self, value: int) -> None:
        self.value = value

    def get(self) -> None:
        """refcount_inc(); resurrecting a dead object raises."""
        if self.value <= 0:
            raise RefCountUnderflow("reference taken on a count of zero")
        self.value += 1

    def put(self) -> bool:
        """refcount_dec_and_test(): True when the last reference has gone."""
        if self.value <= 0:
            raise RefCountUnderflow("reference count below zero")
        self.value -= 1
        return self.value == 0


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


class PhysicalMemory:
    """Guest pages by physical address. Shared bytes: the host sees the same windows."""

    __slots__ = ("_blocks", "_next_page", "_starts")
    FIRST_PAGE = 0x1000  # an arbitrary low page; page 0 stays unused

    def __init__(self) -> None:
        self._blocks: dict[int, memoryview] = {}
        self._starts: list[int] = []
        self._next_page = self.FIRST_PAGE

    def alloc_pages(self, count: int) -> tuple[int, memoryview]:
        """``count`` contiguous zeroed pages: (guest physical address in bytes, their bytes)."""
        gpa = self._next_page * PAGE_BYTES
        self._next_page += count
        block = memoryview(bytearray(count * PAGE_BYTES))
        self._blocks[gpa] = block
        self._starts.append(gpa)  # addresses only grow, so this stays sorted
        return gpa, block

    def free_pages(self, gpa: int) -> None:
        """Give a block back, by the address that alloc_pages() returned."""
        if self._blocks.pop(gpa, None) is None:
            raise DoubleFree(f"pages at {gpa:#x} freed twice or never allocated")
        del self._starts[bisect_left(self._starts, gpa)]

    def window(self, gpa: int, size_bytes: int) -> memoryview:
        """The bytes from ``gpa`` on, shared; ``LookupError`` where no block holds them all."""
        index = bisect_right(self._starts, gpa) - 1
        start = self._starts[index] if index >= 0 else 0
        block = self._blocks.get(start)
        offset = gpa - start
        if block is None or offset + size_bytes > len(block):
            raise LookupError(f"no {size_bytes} contiguous guest bytes at {gpa:#x}")
        return block[offset : offset + size_bytes]

    @property
    def blocks(self) -> int:
        """How many blocks are allocated."""
        return len(self._blocks)
