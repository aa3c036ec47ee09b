# SPDX-License-Identifier: MIT
"""Delays and faults as a driver developer would say them. Knows no run.

A context is called by its function (``hv_eject_device_work``) where no other in the run has that
function, else by its whole name (``pci_devices_present_work/hv_pci_1#3``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from sim.choices import FAULT_PREFIX
from sim.explore.delays import Delay, FaultAt
from sim.explore.named import Named
from sim.explore.until import parse_until
from sim.labels import function_of

_ENDINGS: Final[Mapping[int, str]] = {1: "st", 2: "nd", 3: "rd"}


class Sentence(NamedTuple):
    """``kind`` is ``delay`` or ``fault``; ``words`` complete it."""

    kind: str
    words: str


def sentences(order: Named, names: Iterable[str]) -> list[Sentence]:
    """A sentence for each delay and fault. ``names`` are those of all contexts in the run."""
    short = _short(names)
    return [
        *(Sentence("delay", _delay(delay, short)) for delay in order.delays),
        *(Sentence("fault", _fault(fault)) for fault in order.faults),
    ]


def ordinal(number: int) -> str:
    """``1st``, ``2nd``, ``11th``."""
    teen = number % 100 in (11, 12, 13)
    return f"{number}{'th' if teen else _ENDINGS.get(number % 10, 'th')}"


def _short(names: Iterable[str]) -> Mapping[str, str]:
    """By what to call each context."""
    functions = {name: function_of(name) for name in names}
    owners = Counter(functions.values())
    return {name: short for name, short in functions.items() if owners[short] == 1}


def _delay(delay: Delay, short: Mapping[str, str]) -> str:
    name = short.get(delay.context, delay.context)
    held = f"`{name}` {_where(delay.point, delay.occurrence)}"
    place = f" in {delay.where}" if delay.where else ""
    return f"{held}{place} until {_until(delay.until, short)}"


def _where(point: str, occurrence: int) -> str:
    if point == "start":
        return "before it begins"
    if not point:
        return (
            "when it is due"
            if occurrence == 1
            else f"when it is due the {ordinal(occurrence)} time"
        )
    return f"at its {ordinal(occurrence)} `{point}`"


def _until(words: str, short: Mapping[str, str]) -> str:
    kind, number, stop = parse_until(words)
    name = short.get(stop.context, stop.context)
    if kind == "ended":
        return f"`{name}` has returned"
    if kind == "reached":
        begun = "is ready to begin" if stop.point == "start" else ""
        return f"`{name}` {begun or f'is at its {ordinal(stop.occurrence)} `{stop.point}`'}"
    return _PLAIN[kind].format(number=number, choices="choice" if number == 1 else "choices")


_PLAIN: Final[Mapping[str, str]] = {
    "idle": "nothing else can go on",
    "late": "nothing else can go on and time has passed",
    "steps": "others have gone on for {number} {choices}",
}


def _fault(fault: FaultAt) -> str:
    what = fault.fault.removeprefix(FAULT_PREFIX)
    where = f" of {fault.at}" if fault.at else ""
    return f"`{what}`{where}, the {ordinal(fault.occurrence)} time it could happen"
