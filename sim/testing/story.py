# SPDX-License-Identifier: MIT
"""A scenario in a few lines of Python: the tables of a scenario file, with the same keys.

``vpcisim scenarios --grammar`` lists every key. What is wrong in a story is told by the reader of
scenario files when it is played, with the place: nothing is checked here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from sim.testing.refused import Refused

Step: TypeAlias = dict[str, Any]
Table: TypeAlias = Mapping[str, Any]


class Story(NamedTuple):
    """The raw tables of a scenario file; a key that is None is left out."""

    tables: dict[str, Any]

    def text(self) -> str:
        """The scenario file. Raises Refused for a value that no such file can hold."""
        from sim.scenario_text import scenario_text

        try:
            plain = json.loads(json.dumps(self.tables), object_hook=_without_none)
        except (TypeError, ValueError) as error:
            raise Refused(
                f"a story holds text, numbers, flags, lists and tables only: {error}"
            ) from None
        return scenario_text(plain)


def story(
    *,
    devices: Sequence[Table],
    actors: Mapping[str, Sequence[Step]],
    name: str = "story",
    **tables: Any,
) -> Story:
    """A scenario: who does what to which devices.

    ``actors`` act concurrently, each by its steps in order. ``tables`` are the others of a scenario
    file, such as ``guest={"vcpus": 1}``, ``host={"profile": "openvmm"}``, ``expect=…``.
    """
    return Story(
        {
            "name": name,
            "story": "Told by a test.",
            **tables,
            "device": [dict(table) for table in devices],
            "actor": [{"name": who, "steps": list(steps)} for who, steps in actors.items()],
        }
    )


def device(name: str, profile: str | None = "nvme-ssd", **keys: Any) -> Table:
    """A device; ``profile=None`` with ``capture="lspci.txt"`` for one from a file."""
    named = {} if profile is None else {"profile": profile}
    return {"name": name, **named, **keys}


def do(verb: str, device: str | None = None, **keys: Any) -> Step:
    """Do something, on the host's side or the guest's: ``do("eject", "nvme0")``."""
    return {"do": verb, **_of(device), **keys}


def wait(event: str, device: str | None = None, **keys: Any) -> Step:
    """Go on once the event has happened: ``wait("driver-bound", "nvme0")``."""
    return {"wait": event, **_of(device), **keys}


def after(ns: int) -> Step:
    """Go on so many nanoseconds later."""
    return {"after_ns": ns}


def within(ns: int) -> Step:
    """Go on at some moment of the next so many nanoseconds; in natural order at the last."""
    return {"within_ns": ns}


def repeat(times: int, *steps: Step) -> Step:
    """Do all the steps so often."""
    return {"repeat": times, "steps": list(steps)}


def _of(device: str | None) -> Step:
    return {} if device is None else {"device": device}


def _without_none(table: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value is not None}
