# SPDX-License-Identifier: MIT
"""Every option of ``vpci.run`` has its effect, and paths are those of the test's folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import ClassVar

import pytest

from guest.events import EjectCompleted
from sim.explore.delaying import DelayChooser
from sim.explore.delays import FaultAt
from sim.oracles.law import Law, Sees
from sim.testing import Violated, Vpci, after, device, do, repeat, story, wait, within
from tests.house.sources import ROOT
from tests.sim.testing.benches import TWO, bench, vpci, vpci_by

QUICK_EJECT = ROOT / "examples" / "quick_eject.py"


class NeverEject(Law):
    """A law of one's own."""

    name = "nothing is ever given up"
    kind = "warning"

    def completed(self, _event: object, _at_ns: int, _context: object) -> str:
        return "it was"

    def end(self, _at_ns: int) -> None:
        return None

    sees: ClassVar[Sees] = {EjectCompleted: completed}


def test_the_protocol_is_the_tests_unless_the_run_names_one() -> None:
    assert vpci().run("arrival").protocol == "1.4"
    assert vpci(version="1.2").run("arrival").protocol == "1.2"
    assert vpci(version="1.2").run("arrival", protocol="1.3").protocol == "1.3"
    assert vpci(version="1.2").run("arrival", protocol=None).protocol == "1.4"


def test_the_host_is_the_one_that_was_asked_for() -> None:
    assert vpci().run("arrival", profile="openvmm").result.profile == "openvmm"
    refusing = vpci().run("arrival", knobs={"refused_versions": ["1.4"]})
    assert refusing.protocol == "1.3"


def test_a_fault_happens_where_a_schedule_says_so() -> None:
    chooser = DelayChooser((), (FaultAt("fault ring-full", "PCI_QUERY_BUS_RELATIONS"),))
    failing = vpci_by(chooser).run(TWO, faults=["ring-full"])
    assert chooser.unapplied_faults == ()
    assert [error.function for error in failing.errors] == ["hv_pci_probe"]


def test_a_law_is_a_class_or_a_file(tmp_path: Path) -> None:
    shutil.copy(QUICK_EJECT, tmp_path / "laws.py")
    vpci(tmp_path).run(TWO, laws=["laws.py"])
    with pytest.raises(Violated, match="warning: it was"):
        vpci(tmp_path).run(TWO, laws=["laws.py", NeverEject])


def test_paths_are_relative_to_the_tests_file(tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "d0-entry-retried.toml", tmp_path / "mine.toml")
    assert vpci(tmp_path).run("mine.toml").sent("PCI_BUS_D0EXIT")
    assert vpci(tmp_path).run(Path("mine.toml")).verdict == "clean"
    assert vpci(ROOT).run(str(tmp_path / "mine.toml")).verdict == "clean"


def test_a_story_has_every_kind_of_step() -> None:
    run = vpci().run(
        story(
            devices=(device("nvme", count=2, vectors=None),),
            guest={"protocol": ("1.2",)},
            expect={"known": ["O9"]},
            actors={
                "administrator": [
                    do("offer", "nvme"),
                    wait("driver-bound", "nvme"),
                    after(1_000),
                    within(1_000),
                    repeat(2, do("open-device", "nvme0"), do("close-device", "nvme0")),
                ]
            },
        )
    )
    assert run.protocol == "1.2"
    assert len(run.devices) == 2


def test_a_setup_is_made_ready_once_however_often_it_is_run() -> None:
    ours = bench()
    Vpci(ours).run(TWO)
    (lab,) = ours.labs.values()
    Vpci(ours).run(TWO)
    Vpci(ours).run(TWO, fine=True)
    assert next(iter(ours.labs.values())) is lab
    assert len(ours.labs) == 2
