# SPDX-License-Identifier: MIT
"""The driver's open items as they show in a run: signatures over the trace, and what they explain.

A scenario names the open items that it may show; only those are looked for. What a signature
explains is no violation then, and the run is ``known``. Knows no item by name. Some items show as a
law that is broken in a known way; those laws say so themselves (``law.OpenItem``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Final, NamedTuple

from guest.events import KernelCrashed
from sim.oracles.judge import Happened, judge
from sim.oracles.law import Law, LawFactory, Sees
from sim.oracles.words import speaks_of
from sim.violation import Leak, Violation

NO_LEAKS: Final[Mapping[str, int]] = MappingProxyType({})


class Signature(Law):
    """One open item. Folds over a trace like a law, and never finds anything wrong.

    ``shown`` turns true when the trace has what the item is about, ``possible`` when it has only
    what leads to it. ``kinds`` are the violations that the item then explains, if one of ``where``
    is part of their context and one of ``what`` of their message.
    """

    name = ""
    kind = ""
    item: ClassVar[str]
    kinds: ClassVar[frozenset[str]] = frozenset()
    where: ClassVar[tuple[str, ...]] = ("",)
    what: ClassVar[tuple[str, ...]] = ("",)
    sees: ClassVar[Sees] = MappingProxyType({})

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.sees = {**cls.sees, KernelCrashed: cls.crashed}

    def __init__(self) -> None:
        self.shown = False
        self.possible = False

    def crashed(self, *_: object) -> None:
        """The kernel in which it showed is dead; one that follows has nothing of it.

        Who keeps more of the guest than these two forgets that as well.
        """
        self.shown = False
        self.possible = False

    def explains(self, violation: Violation) -> bool:
        """Whether the violation is this item's."""
        return (
            (self.shown or self.possible)
            and violation.kind in self.kinds
            and any(part in violation.context for part in self.where)
            and any(speaks_of(violation.message, part) for part in self.what)
        )

    def leaks(self) -> Mapping[str, int]:
        """How many lost things of which class it explains."""
        return NO_LEAKS


class Recognised(NamedTuple):
    """The signatures that were looked for, after the trace."""

    signatures: tuple[Signature, ...]

    def showing(self) -> set[str]:
        """The items that the trace shows."""
        return {signature.item for signature in self.signatures if signature.shown}

    def explaining(self, violation: Violation) -> set[str]:
        """The items that end in this violation."""
        return {each.item for each in self.signatures if each.explains(violation)}

    def excuse(self, leaks: Iterable[Leak]) -> tuple[Leak, ...]:
        """The leaks, split into those that an item explains and the rest."""
        told: list[Leak] = []
        for leak in leaks:
            left = leak.count
            for signature in self.signatures:
                explained = min(left, signature.leaks().get(leak.what, 0))
                if explained:
                    told.append(Leak(leak.what, explained, signature.item))
                left -= explained
            if left:
                told.append(Leak(leak.what, left))
        return tuple(told)


def recognise(
    items: Collection[str], happened: Iterable[Happened], signatures: Sequence[type[Signature]]
) -> Recognised:
    """Look for the named items in a trace."""
    made = tuple(signature() for signature in signatures if signature.item in items)
    if made:
        judge(happened, None, laws=[_that(each) for each in made])
    return Recognised(made)


def _that(signature: Signature) -> LawFactory:
    return lambda: signature
