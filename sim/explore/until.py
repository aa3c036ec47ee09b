# SPDX-License-Identifier: MIT
"""How long a delay lasts, as words and taken apart. Knows no chooser.

The words are the form that travels: a schedule file and a report hold ``ended hv_pci_remove``.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sim.explore.stops import Stop

NOWHERE: Final = Stop("", "", 0)


class Until(NamedTuple):
    """When a held context goes on. ``number`` and ``stop`` mean something to some kinds only.

    ``idle``: when nothing else can. ``late``: the same, once time has been let pass so often.
    ``steps``: after so many choices for somebody else. ``ended``: when the context of ``stop`` has
    come to its end. ``reached``: when the context of ``stop`` is stopped there. The last two let
    time pass as ``late`` does, if it takes that.
    """

    kind: str
    number: int = 0
    stop: Stop = NOWHERE


IDLE: Final = "idle"


def late(times: int = 1) -> str:
    """The words for letting time pass so often."""
    return "late" if times == 1 else f"late {times}"


def steps(count: int) -> str:
    """The words for so many choices for somebody else."""
    return f"steps {count}"


def ended(context: str) -> str:
    """The words for the end of a context."""
    return f"ended {context}"


def reached(stop: Stop) -> str:
    """The words for a context's being stopped somewhere."""
    return f"reached {stop.context} @ {stop.point} # {stop.occurrence}"


def parse_until(words: str) -> Until:
    """Take the words apart. Raises ValueError for what none of the functions above would say."""
    kind, _, rest = words.partition(" ")
    if words == IDLE:
        return Until(kind)
    if kind == "late" and (not rest or _is_count(rest)):
        return Until(kind, int(rest or 1))
    if kind == "steps" and _is_count(rest):
        return Until(kind, int(rest))
    if kind == "ended" and rest:
        return Until(kind, stop=Stop(rest, "", 0))
    context, _, place = rest.partition(" @ ")
    point, _, occurrence = place.rpartition(" # ")
    if kind == "reached" and context and _is_count(occurrence):
        return Until(kind, stop=Stop(context, point, int(occurrence)))
    raise ValueError(
        f"{words!r} is no end of a delay; it is one of: idle, late [N], steps N, ended CONTEXT,"
        " reached CONTEXT @ POINT # N"
    )


def _is_count(text: str) -> bool:
    return text.isdecimal() and int(text) > 0
