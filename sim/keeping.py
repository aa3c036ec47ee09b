# SPDX-License-Identifier: MIT
"""From a mistake that was found to a schedule file that shows it for ever.

Knows neither the strategy that found it nor the command that prints it.
"""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path

import msgspec

from sim.campaign import Found
from sim.choices import DecisionChooser
from sim.replay import recorded
from sim.schedule import Schedule, schedule_text, write_schedule
from sim.setup import Lab, Setup
from sim.source_hashes import source_hashes


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A mistake with the run that shows it. ``file`` is where it was written; None where it could
    not be, with the reason in ``unwritten``."""

    found: Found
    schedule: Schedule
    file: str | None = None
    unwritten: str | None = None

    @property
    def replay(self) -> str | None:
        """The command to paste."""
        if self.file is None:
            return None
        laws = (word for law in self.schedule.setup.laws for word in ("--law", law))
        return shlex.join(("vpcisim", "replay", self.file, *laws))


def kept(setup: Setup, found: Found, *, seed: int) -> Kept:
    """The schedule as it was found, played once more for names and stacks."""
    played = recorded(Lab(setup), DecisionChooser(found.report.decisions), seed=seed)
    violation = played.result.violation
    assert violation is not None, f"schedule {found.number} fails whenever it is played"
    schedule = Schedule(
        scenario=played.result.scenario,
        violation=violation,
        in_words=False,
        seed=seed,
        setup=setup,
        against=source_hashes(setup.laws),
        choices=played.choices,
    )
    return Kept(found=found, schedule=schedule)


def written(kept: Kept, folder: Path) -> Kept:
    """Write the schedule's file into the folder, which is made if need be.

    The same schedule has the same name, so that exploring again adds nothing.
    """
    file = folder / file_name(kept.schedule)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_schedule(file, kept.schedule)
    except OSError as error:
        return msgspec.structs.replace(kept, unwritten=f"{file}: {error.strerror or error}")
    return msgspec.structs.replace(kept, file=str(file))


def file_name(schedule: Schedule) -> str:
    """Scenario, kind of violation, and what tells it from others of that kind."""
    digest = hashlib.sha256(schedule_text(schedule).encode()).hexdigest()[:8]
    return f"{schedule.scenario}-{schedule.violation.kind}-{digest}.json"
