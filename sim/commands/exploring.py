# SPDX-License-Identifier: MIT
"""From what ``explore`` is asked for to a setup; every name that is wrong is refused here.

Knows what is refused; exploring is ``sim/exploration.py``'s.
"""

from __future__ import annotations

import os
from pathlib import Path

from guest.defects.catalogue import CATALOGUE
from guest.defects.record import Defect, DefectsClash, mixins_by_part
from sim.commands.calling import InputError, choose
from sim.faults import FAULTS
from sim.scenario import Scenario
from sim.scenario_reader import find_scenario
from sim.setup import Setup, with_captures


def setup_of(
    name: str,
    ready: Scenario,
    *,
    protocol: str | None,
    profile: str | None,
    device: Path | None,
    driver: str,
    defects: list[str],
    faults: list[str],
    laws: list[Path],
    fine: bool,
) -> Setup:
    """The setup of a scenario that was prepared with the same options. Raises InputError."""
    for fault in faults:
        choose(fault, FAULTS, "fault")
    _check([CATALOGUE[choose(defect, CATALOGUE, "defect")] for defect in defects], ready, driver)
    path = find_scenario(name)
    setup = Setup(
        text=path.read_text(encoding="utf-8"),
        source=name,
        protocol=protocol,
        profile=profile,
        device=None if device is None else str(device),
        driver=driver,
        defects=tuple(dict.fromkeys(defects)),
        faults=tuple(dict.fromkeys(faults)),
        laws=tuple(map(str, laws)),
        fine=fine,
    )
    return with_captures(setup, path.parent)


def _check(defects: list[Defect], ready: Scenario, driver: str) -> None:
    """Refuse bugs that cannot show here, or not together."""
    for defect in defects:
        if driver not in defect.drivers:
            raise InputError(f"{defect.id} can be shown by {' or '.join(defect.drivers)} only")
        if defect.protocol and not set(defect.protocol) & set(ready.guest.protocol):
            raise InputError(f"{defect.id} shows at protocol {' or '.join(defect.protocol)} only")
    try:
        mixins_by_part(defects)
    except DefectsClash as error:
        raise InputError(f"{error}; explore them one at a time") from None


def check_folder(folder: Path) -> None:
    """Refuse a place where no file can be made before hours are spent on finding one."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise InputError(f"--save {folder}: no file can be made there; name another folder")
