# SPDX-License-Identifier: MIT
"""Where a context stands is noted at the stops that are asked for, and nowhere else."""

from __future__ import annotations

from guest.kernel.context import Context, Kind
from sim.choices import DecisionChooser, Option
from sim.explore.delays import Delay
from sim.explore.named import Named
from sim.explore.places import PlaceWatcher


class Driver:
    """C code that stands somewhere."""

    def __init__(self) -> None:
        self.line = 0

    def send(self, _: None) -> str:
        raise AssertionError("nobody runs here")

    def close(self) -> None:
        """Nothing to close."""

    def frames(self) -> tuple[str, ...]:
        return (self.place(),)

    def place(self) -> str:
        return f"hv_pci_probe (pci-hyperv.c:{self.line})"


def test_a_delay_is_told_with_the_line_at_which_its_context_stood() -> None:
    driver = Driver()
    context = Context("probe", Kind.THREAD, None, driver)
    other: Option = Context("other", Kind.ACTOR, None, driver)
    second = Delay("probe", "unlock wq", 2)
    missed = Delay("probe", "unlock wq", 9)
    watcher = PlaceWatcher(DecisionChooser(()), [second.stop, missed.stop])
    for line in (10, 20, 30):
        driver.line = line
        context.at, context.stop = "unlock wq", line
        watcher.choose((context, other))
    told = watcher.placed(Named((second, missed))).delays
    assert [delay.where for delay in told] == ["hv_pci_probe (pci-hyperv.c:20)", ""]
