# SPDX-License-Identifier: MIT
"""Lifetimes: the slab, stack frames, reference counts.

A freed object becomes a poisoned twin of its class: same layout, but every access raises. So the
code that uses objects carries no checks. The twins are made when the class is defined.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, ClassVar, NoReturn, TypeVar

from guest.kernel.faults import (
    DeadStack,
    DoubleFree,
    GuestFault,
    RefCountUnderflow,
    Uninitialised,
    UseAfterFree,
)

GFP_KERNEL = "GFP_KERNEL"
GFP_ATOMIC = "GFP_ATOMIC"

T = TypeVar("T", bound="Allocated")


class Allocated:
    """Base of everything that can be freed or die with a stack frame.

    ``EMBEDDED`` names attributes that hold objects embedded in this one in C (locks, work items,
    list nodes): they die with it. A slot that the constructor leaves alone is memory that nobody
    has written yet, as on a stack: reading it raises :class:`Uninitialised`.
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

    if not TYPE_CHECKING:  # to mypy it would mean that every name is an attribute

        def __getattr__(self, name: str) -> NoReturn:
            """Python asks here for what it does not find: no such name, or a slot unwritten."""
            cls = type(self)
            if any(name in vars(base).get("__slots__", ()) for base in cls.__mro__):
                raise Uninitialised(f"{cls.__name__}.{name} read before anybody wrote it")
            raise AttributeError(f"{cls.__name__} has no {name}")


def _twin(cls: type[Allocated], fault: type[GuestFault]) -> type:
    """A subclass of the same layout whose every attribute access raises ``fault``."""
    name = cls.__name__

    def refuse_read(self: object, attribute: str) -> NoReturn:
        raise fault(f"{name}.{attribute} read after its lifetime", self)

    def refuse_write(self: object, attribute: str, _value: object) -> NoReturn:
        raise fault(f"{name}.{attribute} written after its lifetime", self)

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
            raise DoubleFree(f"kfree() of {obj!r}", obj)
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
