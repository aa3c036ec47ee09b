# SPDX-License-Identifier: MIT
"""Which allocated objects nobody can reach any more: the question kmemleak asks.

An object is leaked if no chain of references leads to it from what the kernel keeps for ever (the
bus, the PCI core, the interrupt tables) or from a context that has not ended.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterable
from types import FunctionType, MethodType, ModuleType
from typing import Final

from guest.kernel.memory import Heap, is_dead

ATOMS: Final = frozenset({int, str, bytes, float, bool, type(None)})  # which refer to nothing


def unreachable(
    heap: Heap, roots: Iterable[object], outside: Iterable[object] = ()
) -> dict[str, int]:
    """Live objects of ``heap`` that the roots do not lead to: class name to count, sorted.

    No way leads through ``outside``: what is not part of the guest may still know its objects.
    """
    lost = {id(obj): type(obj).__name__ for obj in heap.objects()}
    if not lost:
        return {}
    # The heap knows everything: not a way to reach it either.
    seen: set[int] = {id(heap), *(id(obj) for obj in outside)}
    pending = list(roots)
    while pending and lost:  # nobody is missed any more: the rest need not be walked
        obj = pending.pop()
        if type(obj) in ATOMS or id(obj) in seen:
            continue
        seen.add(id(obj))
        lost.pop(id(obj), None)
        if not is_dead(obj):
            pending.extend(_referents(obj))
    return dict(sorted(Counter(lost.values()).items()))


def _referents(obj: object) -> Iterable[object]:
    """What an object refers to, without wandering off into types, modules and globals."""
    if isinstance(obj, (type, ModuleType)):
        return ()
    if isinstance(obj, FunctionType):
        return obj.__closure__ or ()
    if isinstance(obj, MethodType):
        return (obj.__self__,)
    return gc.get_referents(obj)
