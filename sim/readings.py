# SPDX-License-Identifier: MIT
"""How objects of each type are read when a state is (:mod:`sim.outside`). Knows no class of ours.

A reading writes down what an object consists of and says whether that can never change.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import partial
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    GenericAlias,
    MappingProxyType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
    UnionType,
    WrapperDescriptorType,
)
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

import msgspec
import numpy as np

if TYPE_CHECKING:
    from sim.outside import Outside

Reading: TypeAlias = "Callable[[Outside, Any], bool]"


class Unreadable(Exception):
    """What was reached is of a type that nobody has said how to read."""


ATOMS: Final = frozenset({int, str, bytes, bool, float, type(None)})
_OTHER_ITERATORS: Final = frozenset({enumerate, zip, map})


def _read_name(outside: Outside, what: Any) -> bool:
    """What a program's text says, and no run changes."""
    outside.out.append(f"{getattr(what, '__module__', '')}.{what.__name__}")
    return True


def _read_qualified(outside: Outside, what: Any) -> bool:
    outside.out.append(f"{getattr(what, '__module__', '')}.{what.__qualname__}")
    return True


def _read_code(outside: Outside, what: CodeType) -> bool:
    outside.out.append(what.co_qualname)
    return True


def _read_function(outside: Outside, what: FunctionType) -> bool:
    name = f"{what.__module__}.{what.__qualname__}:{what.__code__.co_firstlineno}"
    if what.__closure__ is None and what.__defaults__ is None and what.__kwdefaults__ is None:
        outside.out.append(name)
        return True
    if outside.first_time(what):
        outside.out.append(name)
        outside.read_all(what.__closure__ or ())
        outside.read(what.__defaults__)
        outside.read(what.__kwdefaults__)
    return False


def _read_builtin(outside: Outside, what: BuiltinFunctionType) -> bool:
    outside.out.append(what.__qualname__)
    owner = what.__self__
    return owner is None or outside.read(owner)


def _read_method(outside: Outside, what: MethodType) -> bool:
    return outside.read(what.__func__) & outside.read(what.__self__)


def _read_partial(outside: Outside, what: partial[Any]) -> bool:
    return outside.read_all((what.func, what.args, what.keywords))


def _read_enum(outside: Outside, what: Enum) -> bool:
    outside.out += (type(what).__qualname__, what.name)
    return True


def _read_number(outside: Outside, what: Any) -> bool:
    outside.out.append(repr(what))
    return True


def _read_tuple(outside: Outside, what: tuple[Any, ...]) -> bool:
    return outside.remembered(what, (len(what), *what))


def _read_list(outside: Outside, what: list[Any] | deque[Any]) -> bool:
    if outside.first_time(what):
        outside.out.append(len(what))
        outside.read_all(what)
    return False


def _read_dict(outside: Outside, what: Mapping[Any, Any]) -> bool:
    if outside.first_time(what):
        outside.out.append(len(what))
        for key, value in what.items():
            outside.read(key)
            outside.read(value)
    return False


def _read_set(outside: Outside, what: set[Any]) -> bool:
    if outside.first_time(what):
        outside.out += _members(what)
    return False


def _read_frozen_set(outside: Outside, what: frozenset[Any]) -> bool:
    return outside.remembered(what, _members(what))


def _members(what: Iterable[Any]) -> list[Any]:
    """In an order of their own, since a set has none that is the same everywhere."""
    return sorted(map(_member, what))


def _member(member: Any) -> tuple[str, str]:
    if isinstance(member, (int, str, bytes, Enum, UUID)):
        return type(member).__qualname__, repr(member)
    if isinstance(member, type):
        return "type", f"{member.__module__}.{member.__qualname__}"
    if isinstance(member, tuple):
        return "tuple", repr([_member(each) for each in member])
    raise Unreadable(f"a set of {type(member).__qualname__}")


def _read_array(outside: Outside, what: np.ndarray[Any, Any]) -> bool:
    if outside.first_time(what):
        outside.out += (str(what.dtype), what.tobytes())
    return False


def _read_bytes(outside: Outside, what: bytearray) -> bool:
    if outside.first_time(what):
        outside.out.append(bytes(what))
    return False


def read_view(
    address: Callable[[memoryview], int | None], outside: Outside, what: memoryview
) -> bool:
    shared = address(what)
    outside.out += (what.nbytes, bytes(what) if shared is None else shared)
    return False


def _read_coroutine(outside: Outside, what: CoroutineType[Any, Any, Any]) -> bool:
    return _read_suspended(outside, what, what.cr_frame)


def _read_generator(outside: Outside, what: GeneratorType[Any, Any, Any]) -> bool:
    return _read_suspended(outside, what, what.gi_frame)


def _read_cell(outside: Outside, what: CellType) -> bool:
    try:
        outside.read(what.cell_contents)
    except ValueError:
        outside.out.append("empty")
    return False


def _read_suspended(outside: Outside, what: Any, frame: FrameType | None) -> bool:
    """Where it stands, its variables, and what lies on its stack: its loops' iterators."""
    if outside.first_time(what):
        outside.out.append(what.__qualname__)
    if frame is not None:
        outside.out.append(frame.f_lasti)
        outside.out.append(list(frame.f_locals))
        outside.read_all(x for x in gc.get_referents(what) if type(x) is not FrameType)
    return False


def _read_iterator(outside: Outside, what: Any) -> bool:
    if outside.first_time(what):
        outside.read_all(what.__reduce__()[1:])
    return False


def _read_struct(outside: Outside, what: msgspec.Struct) -> bool:
    values = (getattr(what, name) for name in what.__struct_fields__)
    if what.__struct_config__.frozen:
        return outside.remembered(what, map(_unwritten, values))
    if outside.first_time(what):
        outside.read_all(values)
    return False


def _unwritten(value: object) -> object:
    """A mapping that a frozen record holds is as frozen: nobody writes it."""
    if not isinstance(value, (dict, MappingProxyType)):
        return value
    return tuple((key, _unwritten(inner)) for key, inner in value.items())


def _read_exception(outside: Outside, what: BaseException) -> bool:
    if outside.first_time(what):
        outside.read(what.args)
        outside.read(vars(what))
    return False


def reading_of_parts(parts: tuple[str, ...] | Callable[[Any], object]) -> Reading:
    if callable(parts):
        return lambda outside, what: outside.read(parts(what)) and False

    def read(outside: Outside, what: object) -> bool:
        if outside.first_time(what):
            outside.read_all(getattr(what, name) for name in parts)
        return False

    return read


def reading_of_instances(kind: type) -> Reading:
    """All attributes that objects of a class have."""
    slots = tuple(_slots(kind))
    if not slots and not kind.__dictoffset__:
        raise Unreadable(f"{kind.__module__}.{kind.__qualname__}")

    def read(outside: Outside, what: object) -> bool:
        if outside.first_time(what):
            outside.read_all(getattr(what, name, "unset") for name in slots)
            for name, value in getattr(what, "__dict__", {}).items():
                outside.out.append(name)
                outside.read(value)
        return False

    return read


def _slots(kind: type) -> Iterable[str]:
    for base in kind.__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__weakref__", "__dict__"):
                hidden = name.startswith("__") and not name.endswith("__")
                yield f"_{base.__name__.lstrip('_')}{name}" if hidden else name


READINGS: Final[Mapping[type, Reading]] = MappingProxyType(
    {
        ModuleType: _read_name,
        CodeType: _read_code,
        FunctionType: _read_function,
        BuiltinFunctionType: _read_builtin,
        MethodDescriptorType: _read_qualified,
        WrapperDescriptorType: _read_qualified,
        CellType: _read_cell,
        MethodType: _read_method,
        partial: _read_partial,
        UnionType: _read_number,
        GenericAlias: _read_number,
        range: _read_number,
        slice: _read_number,
        tuple: _read_tuple,
        list: _read_list,
        deque: _read_list,
        dict: _read_dict,
        MappingProxyType: _read_dict,
        set: _read_set,
        frozenset: _read_frozen_set,
        bytearray: _read_bytes,
        CoroutineType: _read_coroutine,
        GeneratorType: _read_generator,
    }
)

# In order of precedence.
_FAMILIES: Final[Mapping[type, Reading]] = MappingProxyType(
    {
        type: _read_qualified,
        Enum: _read_enum,
        np.ndarray: _read_array,
        np.generic: _read_number,
        msgspec.Struct: _read_struct,
        BaseException: _read_exception,
        tuple: _read_tuple,
        dict: _read_dict,
        list: _read_list,
        int: _read_number,
        str: _read_number,
    }
)


def reading_of_family(kind: type) -> Reading | None:
    """How a type is read that is not named itself: as what it is derived from, if that is known."""
    if kind.__name__.endswith("iterator") or kind in _OTHER_ITERATORS:
        return _read_iterator
    return next((reading for base, reading in _FAMILIES.items() if issubclass(kind, base)), None)
