# SPDX-License-Identifier: MIT
"""Tests of a guest driver that is to give a function up, whenever it is asked for it.

Usage: pytest examples/test_eject.py (docs/pytest.md goes through it)
"""

import pytest

from sim.testing import Vpci, device, do, story, wait

# The administrator ejects the device while the driver is still setting it up.
EJECT = story(
    devices=[device("nvme0", vectors=1)],
    actors={
        "administrator": [
            do("offer", "nvme0"),
            wait("resources-assigned", "nvme0"),
            do("eject", "nvme0"),
        ]
    },
)


def test_the_driver_gives_the_function_up(vpci: Vpci) -> None:
    run = vpci.run(EJECT)
    (completed,) = run.events("eject-completed", "nvme0")
    assert completed.errno == 0
    assert len(run.sent("PCI_EJECTION_COMPLETE")) == 1
    assert run.devices == ()


@pytest.mark.vpci(schedules=200, versions=["1.3", "1.4"])
def test_it_does_so_in_every_order(vpci: Vpci) -> None:
    run = vpci.run(EJECT)
    assert run.protocol == vpci.version
    assert run.events("eject-completed", "nvme0")
    assert run.devices == ()


@pytest.mark.vpci(schedules=300)
def test_an_old_bug_is_found(vpci: Vpci) -> None:
    vpci.run(EJECT, defects=["eject-before-root-bus"])
