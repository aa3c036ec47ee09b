# SPDX-License-Identifier: MIT
"""The state of everything outside of the guest, as one number: equal numbers will do the same.

The state is whatever can be reached from a few roots: objects, what closures hold, where coroutines
stand with all that they have at hand. So nothing has to say what its state is, and nothing can be
forgotten: an object that nobody has said how to read is an error. Knows no class by what it means
but those that are named to it as somebody else's matter. The same in every process.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from hashlib import blake2b
from typing import Any, Final

from sim.readings import (
    ATOMS,
    READINGS,
    Reading,
    read_view,
    reading_of_family,
    reading_of_instances,
    reading_of_parts,
)

DIGEST_BYTES: Final = 8
_MARSHALLED: Final = 2  # the last version that writes equal values as equal bytes


class Outside:
    """Reads states. One for each run: what it has read is kept until then.

    ``parts`` says of some types which of their attributes count, or how they are called instead.
    ``address`` is where a view lies in memory that others share, None for one's own.
    """

    def __init__(
        self,
        parts: Mapping[type, tuple[str, ...] | Callable[[Any], object]],
        address: Callable[[memoryview], int | None],
        opaque: Iterable[object] = (),
    ) -> None:
        self._readings: dict[type, Reading] = dict(READINGS)
        self._readings[memoryview] = partial(read_view, address)
        self._parts = parts
        self._opaque = {id(each): each for each in opaque}
        self._constants: dict[int, tuple[object, bytes]] = {}  # read once, since they never change
        self._seen: dict[int, int] = {}
        self.out: list[Any] = []

    def digest(self, *roots: object) -> int:
        """The state that these lead to. Raises Unreadable."""
        self._seen = {}
        self.out = []
        for root in roots:
            self.read(root)
        return int.from_bytes(_digest(self.out), "little")

    def read(self, what: object) -> bool:
        """Write down an object; whether it can never change."""
        kind = type(what)
        if kind in ATOMS:
            self.out.append(what)
            return True
        reading = self._readings.get(kind)
        if reading is None:
            reading = self._readings[kind] = self._reading_of(kind)
        return reading(self, what)

    def read_all(self, items: Iterable[object]) -> bool:
        """Write down several, in order."""
        read = self.read
        constant = True
        for item in items:
            constant &= read(item)
        return constant

    def first_time(self, what: object) -> bool:
        """Whether something that can change is met for the first time; else say which it is."""
        number = id(what)
        if number in self._opaque:
            self.out.append("opaque")
            return False
        before = self._seen.get(number)
        if before is None:
            self._seen[number] = len(self._seen)
            self.out.append(type(what).__qualname__)
            return True
        self.out += ("again", before)
        return False

    def remembered(self, what: object, items: Iterable[object]) -> bool:
        """Write down something that cannot be changed, though what it holds may be."""
        known = self._constants.get(id(what))
        if known is not None:
            self.out.append(known[1])
            return True
        before, self.out = self.out, [type(what).__qualname__]
        constant = self.read_all(items)
        if constant:
            digest = _digest(self.out)
            self._constants[id(what)] = what, digest
            before.append(digest)
        else:
            before += self.out
        self.out = before
        return constant

    def _reading_of(self, kind: type) -> Reading:
        for base in kind.__mro__:
            if base in self._parts:
                return reading_of_parts(self._parts[base])
        return reading_of_family(kind) or reading_of_instances(kind)


def _digest(out: list[Any]) -> bytes:
    return blake2b(marshal.dumps(out, _MARSHALLED), digest_size=DIGEST_BYTES).digest()
