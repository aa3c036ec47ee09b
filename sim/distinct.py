# SPDX-License-Identifier: MIT
"""When two violations are one and the same mistake. Knows no schedule.

A campaign of thousands of schedules meets a mistake hundreds of times, with other numbers and
devices in its message and in other instances of the context.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from sim.labels import function_of, title_of
from sim.violation import Violation

_NUMBERED: Final = re.compile(r"\w*\d\w*")  # a number, or a name made of one: nvme0, hv_pci_96f2


class Mistake(NamedTuple):
    """What two violations have in common that are one mistake."""

    kind: str
    law: str
    function: str
    message: str


def mistake_of(violation: Violation) -> Mistake:
    """The mistake that a violation shows."""
    return Mistake(
        violation.kind,
        violation.law,
        _without_numbers(function_of(title_of(violation.context))),
        _without_numbers(violation.message),
    )


def _without_numbers(text: str) -> str:
    return _NUMBERED.sub("N", text)
