# SPDX-License-Identifier: MIT
"""Mistakes of hibernation that nobody has made yet: the scenarios find them, known items or not."""

from __future__ import annotations

from errno import EINVAL

from msgspec.structs import replace

from guest.defects.catalogue import CATALOGUE
from guest.defects.record import Mixin
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.power import Power
from guest.pci_hyperv.requests import PciPacket
from guest.vmbus.channel import HvDevice, VmbusChannel
from protocol.ids import TransactionId
from sim.result import Verdict
from sim.scenario_reader import load_scenario
from sim.world import World


def with_mistake(scenario: str, mistake: type[Power]) -> Verdict:
    """Natural order with a class in front of the driver's."""
    some = CATALOGUE["resume-no-msi-recreate"]
    defect = replace(some, mixins=(Mixin("driver", mistake),))
    return World(load_scenario(scenario), defects=[defect]).run()


class RequestorFreedAgain(Power):
    """Gives back what closing the channel has given back already."""

    async def forget_d0_exit(
        self, channel: VmbusChannel, transaction_id: TransactionId, packet: PciPacket
    ) -> None:
        del transaction_id, packet
        await self.kernel.kfree(channel.requestor)


class NothingFlushed(Power):
    """hv_pci_suspend() without its flush_workqueue()."""

    async def _suspend(self, hdev: HvDevice, hbus: HvPciBus) -> int:
        if not await self.leave_installed(hdev, hbus):
            return -EINVAL
        ret = await self.hv_pci_bus_exit(hdev, keep_devs=True)
        if not ret:
            await self.vmbus.vmbus_close(hdev.channel)
        return ret


def test_a_mistake_where_a_rescind_does_harm_is_not_taken_for_it() -> None:
    violation = with_mistake("hibernate-rescind", RequestorFreedAgain).violation
    assert violation is not None
    assert (violation.kind, violation.context) == ("double-free", "thread/0:hibernate")


def test_a_suspend_that_does_not_wait_for_queued_work_leaves_it_waiting_for_an_answer() -> None:
    violation = with_mistake("hibernate-queued-work", NothingFlushed).violation
    assert violation is not None
    assert violation.kind == "hang"
    assert "pci_devices_present_work" in violation.message


def test_a_suspend_that_waits_for_it_is_done_in_the_same_order() -> None:
    verdict = World(load_scenario("hibernate-queued-work")).run()
    assert (verdict.verdict, verdict.known) == ("known", ("O37",))
