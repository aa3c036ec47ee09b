# SPDX-License-Identifier: MIT
"""All historical bugs, by id: what the files of this folder hold, gathered when first imported."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final

from guest import defects as folder
from guest.defects.record import Defect

HOLD_NO_DEFECT: Final = frozenset({"record", "catalogue", "open_items"})


def _defects() -> Iterator[Defect]:
    """The ``DEFECT`` of each file; a file's name is its defect's id, with underscores."""
    for module in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
        name = module.name.rpartition(".")[2]
        if name in HOLD_NO_DEFECT:
            continue
        defect: Defect = import_module(module.name).DEFECT
        assert defect.id == name.replace("_", "-"), f"{module.name} holds {defect.id}"
        yield defect


CATALOGUE: Final[Mapping[str, Defect]] = MappingProxyType(
    {defect.id: defect for defect in sorted(_defects(), key=lambda each: (each.cls, each.id))}
)
