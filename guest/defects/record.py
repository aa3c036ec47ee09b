# SPDX-License-Identifier: MIT
"""What a historical bug is on record as: where it comes from, what puts it back, how it shows.

Data, and the one rule of putting several together. Knows no driver, no scenario and no explorer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from guest.native.edits.record import Edit

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Mixin(NamedTuple):
    """``cls`` goes in front of the guest's class for ``part`` (of ``guest.parts.Parts``)."""

    part: str
    cls: type


class Defect(msgspec.Struct, frozen=True, kw_only=True):
    """One bug, as the clean guest plus what brings it back.

    ``subject`` and ``commit`` are those of the upstream fix, ``commit_check`` says how sure the id
    is, ``fixed`` when it came. ``expect`` is the kind of violation it must end in; None where
    nothing can be shown, with the reason in ``why``. ``knobs`` and ``latency_ns`` (windows
    [earliest, latest]) are merged into the scenario's host, ``faults`` (name to how many) must be
    on, ``protocol`` names the versions that show it (empty: all). ``edits`` put it into the source
    of the real driver, where it then ends in ``expect`` as well; ``why_model_only`` says what in
    the real one keeps it from showing. ``bred_by`` is the bug whose fix introduced this one.
    """

    id: str
    subject: str
    commit: str
    commit_check: str
    cls: str
    fixed: str
    scenario: str
    expect: str | None
    why: str
    mixins: tuple[Mixin, ...] = ()
    knobs: Mapping[str, Any] = NOTHING
    latency_ns: Mapping[str, tuple[int, int]] = NOTHING
    protocol: tuple[str, ...] = ()
    faults: Mapping[str, int] = NOTHING
    edits: tuple[Edit, ...] = ()
    why_model_only: str = ""
    bred_by: str | None = None

    @property
    def drivers(self) -> tuple[str, ...]:
        """In which guest drivers it can be shown: the real one where there are edits for it."""
        return ("model", "kernel") if self.edits else ("model",)


class DefectsClash(ValueError):
    """Two bugs that would override the same function; says which and where."""


def overridden(cls: type) -> tuple[str, ...]:
    """What a mixin puts in place of the clean class's, which it may name as its base."""
    return tuple(n for n in vars(cls) if n == "__init__" or not n.startswith("__"))


def mixins_by_part(defects: Sequence[Defect]) -> dict[str, tuple[type, ...]]:
    """The mixins of several bugs, by part, each once; :class:`DefectsClash` if they do not mix.

    Two bugs may share a mixin, but no two mixins may override one function of one part.
    """
    chosen: dict[str, tuple[type, ...]] = {}
    owners: dict[tuple[str, str], tuple[Mixin, str]] = {}
    for defect in defects:
        for mixin in defect.mixins:
            _claim(mixin, owners, defect.id)
            others = chosen.get(mixin.part, ())
            if mixin.cls not in others:
                chosen[mixin.part] = (*others, mixin.cls)
    return chosen


def _claim(mixin: Mixin, owners: dict[tuple[str, str], tuple[Mixin, str]], name: str) -> None:
    for function in overridden(mixin.cls):
        owner, first = owners.setdefault((mixin.part, function), (mixin, name))
        if owner != mixin:
            raise DefectsClash(f"{first} and {name} both override {function}(); leave one out")
