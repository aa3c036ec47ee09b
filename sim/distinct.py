# SPDX-License-Identifier: MIT
"""When two violations are one and the same mistake. Knows no schedule.

A campaign of thousands of schedules meets a mistake hundreds of times, with other numbers and
devices in its message and in other instances of the context.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

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
        function_of(violation.context),
        _NUMBERED.sub("N", violation.message),
    )


def function_of(context: str) -> str:
    """The kernel function of a context's label: ``hv_eject_device_work`` of
    ``work/0:hv_eject_device_work/hv_pci_1#2``; labels without one as they are, without numbers."""
    name = context.partition(":")[2] or context
    return _NUMBERED.sub("N", name.partition("#")[0].partition("/")[0])
