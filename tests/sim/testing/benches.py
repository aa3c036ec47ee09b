# SPDX-License-Identifier: MIT
"""The fixture's object without pytest, for tests of what it gives."""

from pathlib import Path

from sim.choices import Chooser
from sim.testing import Story, Vpci, device, do, story, wait
from sim.testing.fixture import Attempt, Bench
from tests.house.sources import ROOT

# Two functions on one bus; one of them is ejected, then the bus goes.
TWO: Story = story(
    devices=[
        device("nvme0", vectors=1),
        device("nvme1", bus="nvme0", slot=1, vectors=1),
    ],
    guest={"vcpus": 1},
    actors={
        "administrator": [
            do("offer", "nvme0"),
            wait("driver-bound", "nvme1"),
            do("eject", "nvme0"),
            wait("eject-complete-received", "nvme0"),
        ]
    },
)


def bench(folder: Path = ROOT, version: str | None = None) -> Bench:
    """As a plain test has it."""
    return Bench(folder, version, Attempt(stacks=True))


def vpci(folder: Path = ROOT, version: str | None = None) -> Vpci:
    """As a plain test has it; ``folder`` is the test's."""
    return Vpci(bench(folder, version))


def vpci_by(chooser: Chooser) -> Vpci:
    """As a body has it whose order is being tried."""
    return Vpci(Bench(ROOT, None, Attempt(chooser)))
