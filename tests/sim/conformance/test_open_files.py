# SPDX-License-Identifier: MIT
"""A function that a process has open: a guest that waits for it, and Linux, which does not."""

from __future__ import annotations

from guest.kernel import ops
from guest.pci_core.types import PciDev
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.device import HvPciDev
from guest.pci_hyperv.driver import HvPciDriver
from sim.conformance.outcome import BINDING, Target
from sim.conformance.suite import plan, run_guest_cases_together
from sim.guests import ReferenceGuests
from tests.sim.conformance.unlike import BY_ID, Unlike, wrong_of

CASE = "eject-waits-for-last-handle"


class WaitsForTheProcess(HvPciDriver):
    """As OpenVMM's client gives a function up: whoever has it open lets go of it first."""

    async def send_ejection_complete(self, hbus: HvPciBus, hpdev: HvPciDev) -> None:
        while any(isinstance(held, PciDev) for held in self.kernel.heap.objects()):
            await ops.msleep(self.kernel, 10)
        await super().send_ejection_complete(hbus, hpdev)


def test_a_guest_that_waits_for_the_process_passes() -> None:
    assert wrong_of(Unlike(CASE, WaitsForTheProcess, ""), "1.4") is None


def test_linux_does_not_wait_and_is_not_failed_for_it() -> None:
    target = Target("guest", "the reference guest", "hyperv", BINDING["guest"])
    planned = tuple(plan([BY_ID[CASE]], ["1.1", "1.4"], ["openvmm"]))
    outcomes = tuple(run_guest_cases_together(planned, target, ReferenceGuests(mixins=[])))
    assert [(outcome.version, outcome.result) for outcome in outcomes] == [
        ("1.1", "observed"),
        ("1.4", "observed"),
    ]
    assert {outcome.why for outcome in outcomes} == {
        "EJECTION_COMPLETE was sent while a process had it open"
    }
