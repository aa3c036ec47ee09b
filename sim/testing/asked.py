# SPDX-License-Identifier: MIT
"""From what a test asks for to a setup; every wrong name is refused here, in one line.

Knows what is refused; playing is ``sim/testing/playing.py``'s.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from guest.defects.catalogue import CATALOGUE
from sim.commands.calling import InputError, choose
from sim.commands.exploring import check_defects
from sim.commands.playing import fitted
from sim.faults import FAULTS
from sim.oracles.user_laws import check_law
from sim.scenario import ScenarioError
from sim.scenario_grammar import DRIVERS
from sim.scenario_reader import find_scenario, parse_scenario, read_text
from sim.scenario_tables import hint
from sim.scenario_text import scenario_text
from sim.setup import Setup, with_captures
from sim.testing.fixture import Options
from sim.testing.refused import Refused
from sim.testing.story import Story

if TYPE_CHECKING:
    from sim.oracles.law import LawFactory

_OF_THE_REAL_DRIVER: Final = ("tree", "driver_file", "data_races")


class Asked(NamedTuple):
    """A setup and the test's own law classes, not yet checked. ``folder``: the scenario's."""

    setup: Setup
    laws: tuple[LawFactory, ...]
    folder: Path

    def checked(self) -> Setup:
        """The setup, if it can be played. Raises Refused."""
        setup = self.setup
        try:
            _check_driver(setup)
            for fault in setup.faults:
                choose(fault, FAULTS, "fault")
            defects = [CATALOGUE[choose(one, CATALOGUE, "defect")] for one in setup.defects]
            ready = fitted(
                parse_scenario(setup.text, source=setup.source, folder=self.folder),
                protocol=setup.protocol,
                profile=setup.profile,
                device=None if setup.device is None else Path(setup.device),
                driver=setup.driver,
            )
            check_defects(defects, ready, setup.driver)
        except InputError as error:
            raise Refused(f"{setup.source}: {error}") from None
        for law in self.laws:
            check_law(law, getattr(law, "__name__", "a law"))
        return with_captures(setup, self.folder)


def asked(
    scenario: str | Path | Story,
    options: Mapping[str, Any],
    *,
    folder: Path,
    version: str | None,
) -> Asked:
    """What is asked for, paths relative to ``folder``. Raises Refused."""
    given = _Given(options, folder)
    text, source, beside = _scenario(scenario, folder)
    laws = given.listed("laws")
    setup = Setup(
        text=_with_knobs(text, options.get("knobs", {})),
        source=source,
        protocol=options.get("protocol", version),
        profile=options.get("profile"),
        device=given.path("device"),
        driver=options.get("driver", "model"),
        tree=given.path("tree"),
        driver_file=given.path("driver_file"),
        data_races=options.get("data_races", False),
        defects=given.listed("defects"),
        faults=given.listed("faults"),
        laws=tuple(str(folder / law) for law in laws if isinstance(law, str | Path)),
        fine=options.get("fine", False),
    )
    return Asked(setup, tuple(law for law in laws if not isinstance(law, str | Path)), beside)


class _Given:
    """The options that were given, each name known and each list a list. Raises Refused."""

    def __init__(self, options: Mapping[str, Any], folder: Path) -> None:
        for name in options:
            if name not in Options.__annotations__:
                known = hint(name, Options.__annotations__)
                raise Refused(f"vpci.run has no option {name!r}; {known}")
        self._options = options
        self._folder = folder

    def listed(self, option: str) -> tuple[Any, ...]:
        """What is listed, each once."""
        values = self._options.get(option, ())
        if not isinstance(values, list | tuple):
            shown = getattr(values, "__name__", repr(values))
            raise Refused(f"{option} takes a list; write {option}=[{shown}]")
        return tuple(dict.fromkeys(values))

    def path(self, option: str) -> str | None:
        """A path that is left out or given."""
        path = self._options.get(option)
        if not isinstance(path, str | Path | None):
            raise Refused(f"{option} takes a path, not {path!r}")
        return None if path is None else str(self._folder / path)


def _scenario(scenario: str | Path | Story, folder: Path) -> tuple[str, str, Path]:
    """Its text, what errors call it, and the folder that its captures are relative to."""
    if isinstance(scenario, Story):
        return scenario.text(), scenario.tables["name"], folder
    if not isinstance(scenario, str | Path):
        raise Refused(f"vpci.run takes a name, a path or a story, not {scenario!r}")
    try:
        found = scenario if isinstance(scenario, Path) else find_scenario(scenario)
        path = folder / found
        return read_text(path), str(scenario), path.parent
    except ScenarioError as error:
        raise Refused(str(error)) from None


def _with_knobs(text: str, knobs: Mapping[str, Any]) -> str:
    """The scenario with these knobs of the host, too; their names are the reader's to check."""
    if not isinstance(knobs, Mapping):
        raise Refused(f"knobs takes a table of names and values, not {knobs!r}")
    if not knobs:
        return text
    raw = tomllib.loads(text)
    host = raw.setdefault("host", {})
    host["knobs"] = {**host.get("knobs", {}), **knobs}
    return scenario_text(raw)


def _check_driver(setup: Setup) -> None:
    choose(setup.driver, DRIVERS, "driver")
    given = [name for name in _OF_THE_REAL_DRIVER if getattr(setup, name)]
    if setup.driver == "model" and given:
        raise InputError(f"{given[0]} is for the real driver; add driver='kernel'")
    if setup.driver == "kernel" and setup.tree is None:
        raise InputError("driver='kernel' needs tree: a Linux tree, or a linux-source-*.tar.xz")
