# SPDX-License-Identifier: MIT
"""From what ``explore`` is asked for to what was found; every wrong name is refused here.

Knows what is refused and how far it is; exploring is ``sim/exploration.py``'s.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from guest.defects.catalogue import CATALOGUE
from guest.defects.record import Defect, DefectsClash, mixins_by_part
from sim.campaign import NotDeterministic, Result
from sim.commands.asking import Asked, Wanted
from sim.commands.calling import InputError, LackingError, choose
from sim.commands.covering import Told, counting, coverage_told
from sim.exploration import explored, keeping
from sim.faults import FAULTS
from sim.keeping import Kept, written
from sim.report.progress import progress_of
from sim.scenario import Scenario
from sim.scenario_reader import find_scenario
from sim.setup import Setup, with_captures
from sim.workers import WorkersDie


def setup_of(name: str, ready: Scenario, wanted: Wanted) -> Setup:
    """The setup of a scenario that was prepared with the same options. Raises InputError."""
    _check_names(ready, wanted)
    path = find_scenario(name)
    driver = wanted.driver
    setup = Setup(
        text=path.read_text(encoding="utf-8"),
        source=name,
        protocol=wanted.protocol,
        profile=wanted.profile,
        device=None if wanted.device is None else str(wanted.device),
        driver=driver.name,
        tree=driver.tree_path,
        driver_file=driver.file_path,
        data_races=driver.data_races,
        defects=tuple(dict.fromkeys(wanted.defects)),
        faults=tuple(dict.fromkeys(wanted.faults)),
        laws=tuple(map(str, wanted.laws)),
        fine=wanted.fine,
    )
    return with_captures(setup, path.parent)


def _check_names(ready: Scenario, wanted: Wanted) -> None:
    for fault in wanted.faults:
        choose(fault, FAULTS, "fault")
    defects = [CATALOGUE[choose(defect, CATALOGUE, "defect")] for defect in wanted.defects]
    check_defects(defects, ready, wanted.driver.name)


def check_defects(defects: Sequence[Defect], ready: Scenario, driver: str) -> None:
    """Refuse bugs that cannot show here, or not together. Raises InputError."""
    for defect in defects:
        if driver not in defect.drivers:
            only = f"{defect.id} can be shown by {' or '.join(defect.drivers)} only"
            raise InputError(f"{only}. {defect.why_model_only}".removesuffix(". "))
        if defect.protocol and not set(defect.protocol) & set(ready.guest.protocol):
            raise InputError(f"{defect.id} shows at protocol {' or '.join(defect.protocol)} only")
    try:
        mixins_by_part(defects)
    except DefectsClash as error:
        raise InputError(str(error)) from None


def check_folders(folders: Mapping[str, Path | None]) -> None:
    """Refuse, of each option, a place where no file can be made before hours are spent."""
    for option, folder in folders.items():
        if folder is not None:
            _check_folder(folder, option)


def _check_folder(folder: Path, option: str) -> None:
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise InputError(f"{option} {folder}: no file can be made there; name another folder")


class Done(NamedTuple):
    """A campaign, what was kept of it, and what it has run of the driver if that was asked."""

    result: Result
    kept: list[Kept]
    coverage: Told


def carried_out(setup: Setup, asked: Asked, coverage: Path | None) -> Done:
    """Explore, and keep what is found; Ctrl-C ends each of the two and not the other.

    ``coverage`` is a folder for the page of what the schedules explored have run, not the rest.
    Raises InputError where one schedule came out in two ways, LackingError where no process lives.
    """
    try:
        with counting(coverage) as counts:
            result = _explored(setup, asked, counts)
            kept = _kept(setup, asked, result)
            return Done(result, kept, coverage_told(setup, counts, coverage))
    except NotDeterministic as error:
        why = f"{error}; the lab, or a law of yours, is not deterministic"
        raise InputError(why) from None
    except WorkersDie as error:
        raise LackingError(str(error)) from None


def _explored(setup: Setup, asked: Asked, counts: Path | None) -> Result:
    with progress_of("exploring", asked.schedules) as progress:
        return explored(
            setup,
            strategy=asked.strategy,
            schedules=asked.schedules,
            seed=asked.seed,
            jobs=asked.jobs,
            progress=progress,
            counts=counts,
        )


def _kept(setup: Setup, asked: Asked, result: Result) -> list[Kept]:
    kept: list[Kept] = []
    with suppress(KeyboardInterrupt), progress_of("shrinking", len(result.found)) as progress:
        for one in keeping(
            setup,
            result,
            seed=asked.seed,
            jobs=asked.jobs,
            explain=asked.explain,
            progress=progress,
        ):
            kept.append(written(one, asked.save))  # noqa: PERF401 - an interruption keeps the rest
    return kept
