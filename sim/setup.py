# SPDX-License-Identifier: MIT
"""What is explored, as plain data, and what is made of it in one process.

A :class:`Setup` goes into a schedule file and to other processes; it holds the texts of the files
it was made from, so that it can be played where they are not. A :class:`Lab` is a setup that has
been read: it makes as many worlds as are wanted. Knows no strategy and no verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from guest.defects.catalogue import CATALOGUE
from guest.defects.record import Defect
from host.devices.capture import load_profile
from host.devices.profile import DeviceProfile
from host.devices.profile_file import read_profile, save_profile
from sim.choices import Chooser
from sim.configs import profile_of
from sim.engine import Engine
from sim.guests import Guests
from sim.oracles.law import LawFactory
from sim.oracles.laws import LAWS
from sim.oracles.user_laws import load_laws
from sim.scenario import DeviceSpec, Scenario
from sim.scenario_options import with_faults, with_options
from sim.scenario_reader import find_scenario, parse_scenario
from sim.source_hashes import source_hashes
from sim.world import World

REAL_DRIVER: Final = "the real driver"  # among what schedules are played against
LATES: Final = 2  # two late messages are enough to pass each other twice


class Setup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A scenario and everything that was asked for beside it.

    ``text`` is the scenario's TOML and ``source`` its name in errors. ``device`` is the file given
    in place of the scenario's devices. ``captures`` holds, for each device file, the name by which
    the scenario or ``device`` has it and its profile in JSON form. ``defects`` are ids, ``faults``
    names, ``laws`` paths of the user's own. ``tree`` and ``driver_file`` are paths, too: what the
    real driver is built from; ``data_races`` has its data races looked for. ``lates`` is how often
    a run may let time pass while something could go on.
    """

    text: str
    source: str
    protocol: str | None = None
    profile: str | None = None
    device: str | None = None
    captures: tuple[tuple[str, str], ...] = ()
    driver: str = "model"
    tree: str | None = None
    driver_file: str | None = None
    data_races: bool = False
    defects: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    laws: tuple[str, ...] = ()
    fine: bool = False
    lates: int = LATES

    def scenario(self) -> Scenario:
        """The scenario with all options applied. Raises ScenarioError."""
        scenario = with_options(
            parse_scenario(self.text, source=self.source, folder=Path()),
            protocol=self.protocol,
            profile=self.profile,
            device=None if self.device is None else Path(self.device),
        )
        return with_faults(scenario, self.faults)


def read_setup(name: str, *defects: str) -> Setup:
    """A scenario, by a built-in's name or a path, with these bugs. Raises ScenarioError, OSError.

    For scenarios whose devices are built-in profiles; else see :func:`with_captures`.
    """
    return Setup(text=find_scenario(name).read_text(encoding="utf-8"), source=name, defects=defects)


def with_captures(setup: Setup, folder: Path) -> Setup:
    """The setup with the profiles of all device files it names, read relative to ``folder``.

    ``device`` is relative to where the command runs. Raises DeviceFileError.
    """
    named = {str(d.capture) for d in setup.scenario().devices if d.capture is not None}
    where = {name: name if name == setup.device else str(folder / name) for name in sorted(named)}
    texts = [(name, save_profile(load_profile(file))) for name, file in where.items()]
    return msgspec.structs.replace(setup, captures=tuple(texts))


def against(setup: Setup) -> dict[str, str]:
    """What a setup is played against, as hashes: our sources, the user's laws, the real driver.

    Raises OSError for a law file that cannot be read, BuildError as :class:`Lab`.
    """
    hashes = source_hashes(setup.laws)
    if setup.driver == "model":
        return hashes
    from sim.native import built  # a compiler's matters

    return hashes | {
        REAL_DRIVER: built(setup.tree, setup.driver_file, setup.defects).shared_object.stem
    }


class Lab:
    """A setup made ready in this process.

    Raises KeyError for a defect that does not exist, LawFileError for laws that cannot be used,
    BuildError where the real driver cannot be built.
    """

    def __init__(
        self,
        setup: Setup,
        *,
        driver_flags: tuple[str, ...] = (),
        laws: Sequence[LawFactory] = (),
    ) -> None:
        """``driver_flags``: what the real driver's file is compiled with beyond the usual.

        ``laws`` are the caller's own, besides those of the setup's files.
        """
        self.setup = setup
        self.scenario = setup.scenario()
        self._defects = tuple(CATALOGUE[name] for name in setup.defects)
        more = (law for path in setup.laws for law in load_laws(Path(path)))
        self.laws = (*LAWS, *more, *laws)
        self._profiles = {name: read_profile(text, name) for name, text in setup.captures}
        self._driver_flags = driver_flags
        self._guests = _native_guests(setup, setup.defects, driver_flags)

    def world(
        self,
        chooser: Chooser | None = None,
        *,
        defects: Sequence[Defect] | None = None,
        stacks: bool = False,
        guests: Guests | None = None,
        engine: Engine | None = None,
    ) -> World:
        """A new world; ``chooser`` None is natural order, ``stacks`` as World has it.

        ``defects`` are other historical bugs than the setup's, in a host as the setup's need it;
        ``guests`` and ``engine`` as World has them, None: the setup's guests, and an engine that
        only plays.
        Raises ValueError as World does.
        """
        if defects is None:
            defects = self._defects
        elif guests is None:
            named = tuple(defect.id for defect in defects)
            guests = _native_guests(self.setup, named, self._driver_flags)
        return World(
            self.scenario,
            chooser=chooser,
            load=self._load,
            defects=defects,
            fine=self.setup.fine,
            lates=self.setup.lates,
            laws=self.laws,
            stacks=stacks,
            guests=guests or self._guests,
            engine=engine,
        )

    @property
    def guests(self) -> Guests | None:
        """What makes the real driver's guests; None for the reference model."""
        return self._guests

    def _load(self, device: DeviceSpec) -> DeviceProfile:
        if device.capture is None:
            return profile_of(device)
        return self._profiles[str(device.capture)]


def _native_guests(setup: Setup, defects: tuple[str, ...], flags: tuple[str, ...]) -> Guests | None:
    """The real driver of a setup with these bugs, built (or found built); None for the model."""
    if setup.driver == "model":
        return None
    from sim.native import native_guests  # a compiler's and ctypes' matters

    return native_guests(
        setup.tree, setup.driver_file, defects, data_races=setup.data_races, flags=flags
    )
