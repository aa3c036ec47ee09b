# SPDX-License-Identifier: MIT
"""The second try at D0: from the query or from D0 entry, as long as the functions are kept."""

from __future__ import annotations

import pytest

from guest.defects.catalogue import CATALOGUE
from guest.defects.record import Defect, Mixin
from guest.pci_hyperv.d0 import D0
from guest.vmbus.channel import HvDevice
from sim.scenario_reader import load_scenario
from sim.violation import Violation
from sim.world import World

FROM_THE_QUERY = CATALOGUE["kdump-retry-timing"]


class DropsFunctions(D0):
    """hv_pci_bus_exit() that keeps nothing, whatever it is told."""

    async def hv_pci_bus_exit(self, hdev: HvDevice, *, keep_devs: bool) -> int:
        del keep_devs
        return await super().hv_pci_bus_exit(hdev, keep_devs=False)


DROPPED = Defect(
    id="functions-dropped",
    subject="",
    commit="",
    commit_check="",
    cls="C",
    fixed="",
    scenario="kdump",
    expect="lost-device",
    why="to tell the two ways of trying again apart",
    mixins=(Mixin("driver", DropsFunctions),),
)


def ends(*defects: Defect) -> Violation | None:
    return World(load_scenario("kdump"), defects=defects).run().violation


@pytest.mark.parametrize("defects", [(), (FROM_THE_QUERY,), (FROM_THE_QUERY, DROPPED)])
def test_a_list_that_was_asked_for_again_or_kept_is_as_good(defects: tuple[Defect, ...]) -> None:
    assert ends(*defects) is None


def test_without_a_new_list_nobody_brings_dropped_functions_back() -> None:
    violation = ends(DROPPED)
    assert violation is not None
    assert violation.kind == "lost-device"
