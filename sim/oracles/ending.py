# SPDX-License-Identifier: MIT
"""Whether a run that broke no rule ended as its scenario says it must.

``[expect] verdict`` may name a violation that the story is about, or an error that the guest must
report. Where neither came, the run is clean and the story untrue.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from typing import Final

from guest.events import CommandFailed, FunctionReturned
from guest.pci_core.events import DriverProbeFailed
from sim.scenario import Scenario
from sim.violation import Violation

REPORTS: Final = (
    FunctionReturned,
    CommandFailed,
    DriverProbeFailed,
)  # where a guest says its errors


def judge_ending(scenario: Scenario, events: Iterable[object], now_ns: int) -> Violation | None:
    """A violation if the expected error or violation did not come; for a run without any."""
    expected = scenario.expect.verdict
    if expected == "clean":
        return None
    number = getattr(errno, expected, None)
    if number is not None and any(
        isinstance(event, REPORTS) and event.errno == -number for event in events
    ):
        return None
    what = "the guest reported no such error" if number is not None else "nothing was found"
    message = f"the story must end in {expected}, but {what}"
    return Violation("wrong-value", "the story is true", message, "end of run", now_ns)
