# SPDX-License-Identifier: MIT
"""An error that a story must end in may be the vPCI driver's or a function driver's."""

from __future__ import annotations

from errno import EIO, ENOSPC

import pytest
from msgspec.structs import replace

from guest.events import FunctionReturned
from guest.pci_core.events import DriverProbeFailed
from protocol.ids import RelId
from sim.oracles.ending import judge_ending
from sim.scenario import ExpectSpec
from sim.scenario_reader import load_scenario

STORY = replace(load_scenario("arrival"), expect=ExpectSpec(verdict="ENOSPC"))


@pytest.mark.parametrize(
    "report",
    [
        FunctionReturned(RelId(1), "hv_pci_probe", -ENOSPC),
        DriverProbeFailed("0001:00:00.0", "generic", -ENOSPC),
    ],
)
def test_whoever_reports_the_error_makes_the_story_true(report: object) -> None:
    assert judge_ending(STORY, [report], 0) is None


def test_another_error_does_not() -> None:
    violation = judge_ending(STORY, [DriverProbeFailed("0001:00:00.0", "generic", -EIO)], 0)
    assert violation is not None
    assert violation.kind == "wrong-value"
