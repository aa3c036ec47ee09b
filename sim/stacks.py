# SPDX-License-Identifier: MIT
"""Stacks in kernel function names: where a fault was raised, where a context waits, who calls.
Only reads frames; knows no function by name.

A function of the guest is called what its docstring begins with (``mutex_lock():`` of
``Mutex.lock``), else what Python calls it. Private helpers that name no kernel function, and the
machinery that suspends and buries, are left out.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

from guest.kernel import kernel, memory, ops, rcu

Frames: TypeAlias = tuple[str, ...]  # innermost first

_GUEST: Final = str(Path(str(memory.__file__)).parents[1])
_MACHINERY: Final = frozenset(str(module.__file__) for module in (memory, ops))
_ALLOCATOR: Final = _MACHINERY | {str(kernel.__file__), str(rcu.__file__)}
_KERNEL_NAME: Final = re.compile(r"(\w+)\(\)")
CODES_KEPT: Final = 4_096  # more functions than the guest has


def place_of(coroutine: object) -> str:
    """The source line at which a context stands; "" where Python's own is none of the kernel's."""
    return coroutine.place() if isinstance(coroutine, Standing) else ""


@runtime_checkable
class Standing(Protocol):
    """What knows where it stands: a context of the real driver."""

    def frames(self) -> Frames:
        """Its stack, innermost first."""

    def place(self) -> str:
        """Its innermost function that is the kernel's own, with its line."""


def of_fault(error: BaseException) -> Frames:
    """Where it was raised."""
    return _named(_codes_of(error.__traceback__), _MACHINERY)


def of_waiting(coroutine: object) -> Frames:
    """Where a suspended context waits; who is no coroutine of Python's tells by itself."""
    if isinstance(coroutine, Standing):
        return coroutine.frames()
    codes: list[CodeType] = []
    awaited: Any = coroutine
    while inspect.iscoroutine(awaited):
        codes.append(awaited.cr_code)
        awaited = awaited.cr_await
    return _named(reversed(codes), _MACHINERY)


def of_caller() -> Frames:
    """Who calls now, without the allocator's own functions."""
    return _named(_codes_from(inspect.currentframe()), _ALLOCATOR)


def _codes_of(traceback: TracebackType | None) -> Iterator[CodeType]:
    codes = []
    while traceback is not None:
        codes.append(traceback.tb_frame.f_code)
        traceback = traceback.tb_next
    return reversed(codes)


def _codes_from(frame: FrameType | None) -> Iterator[CodeType]:
    while frame is not None:
        yield frame.f_code
        frame = frame.f_back


def _named(codes: Iterable[CodeType], left_out: frozenset[str]) -> Frames:
    names = (_name_of(code) for code in codes if code.co_filename not in left_out)
    return tuple(name for name in names if name)


@lru_cache(maxsize=CODES_KEPT)
def _name_of(code: CodeType) -> str:
    """The kernel function; empty for what is none."""
    if not code.co_filename.startswith(_GUEST):
        return ""
    first = code.co_consts[0] if code.co_consts else None
    told = _KERNEL_NAME.match(first) if isinstance(first, str) else None
    if told is not None:
        return told[1]
    return "" if code.co_name.startswith(("_", "<")) else code.co_name
