# SPDX-License-Identifier: MIT
"""The bus in hibernation: the connection ends, and another one takes the old channels up again.

After vmbus_bus_suspend() and vmbus_bus_resume() of vmbus_drv.c, and what vmbus_onoffer() does for
them. Knows no device's driver.

Model: vPCI has no sub-channels and no hv_sock channels, so that nr_chan_close_on_suspend is always
zero and nobody waits for ready_for_suspend_event.
"""

from __future__ import annotations

from errno import EBUSY, EINVAL
from typing import TYPE_CHECKING

from guest.events import FunctionReturned
from guest.kernel.dpm import PmOps
from guest.vmbus.channel import INVALID_RELID, VmbusChannel
from guest.vmbus.offers import Offers
from protocol.ids import RelId

if TYPE_CHECKING:
    from guest.kernel.sync import Completion
    from guest.kernel.work import WorkQueue
    from guest.vmbus.interrupts import VmbusInterrupts
    from protocol.versions import VmbusDialect
    from protocol.vmbus import VmbusChannelOfferChannel

RESUME_TIMEOUT_MS = 10_000  # vmbus_bus_resume(): 10 * HZ
OF_THE_MACHINE = RelId(0)  # no channel has it


class BusPower(Offers):
    """The bus's own part of a suspension; its devices have been suspended before."""

    dialect: VmbusDialect | None
    work_queue: WorkQueue
    rescind_work_queue: WorkQueue
    ignore_any_offer_msg: bool
    nr_chan_fixup_on_resume: int
    ready_for_resume_event: Completion
    interrupts: VmbusInterrupts

    def pm_ops(self) -> PmOps:
        """vmbus_bus_pm."""
        suspend, resume = self.vmbus_bus_suspend, self.vmbus_bus_resume
        return PmOps(freeze_noirq=suspend, thaw_noirq=resume, restore_noirq=resume)

    async def vmbus_negotiate_version(self, dialect: VmbusDialect) -> int:
        """The contact for one version (``guest.vmbus.connection``)."""
        raise NotImplementedError

    async def request_offers(self) -> int:
        """Ask for what there is (``guest.vmbus.connection``)."""
        raise NotImplementedError

    async def initiate_unload(self) -> None:
        """End the connection (``guest.vmbus.connection``)."""
        raise NotImplementedError

    async def vmbus_bus_suspend(self) -> int:
        """vmbus_bus_suspend(): 0, or -EBUSY if a channel was missing at the last resume.

        Offers and rescinds that come from here on are not looked at.
        """
        await self.interrupts.disable()
        self.ignore_any_offer_msg = True
        await self.interrupts.enable()
        for queue in (self.rescind_work_queue, self.work_queue, self.handle_primary_chan_wq):
            await queue.drain()
        error = -EBUSY if self.nr_chan_fixup_on_resume else 0
        if error:
            self.kernel.log("err", "Can not suspend due to a previous failed resuming")
        else:
            await self._forget_relids()
            await self.initiate_unload()
            self.ready_for_resume_event.reinit()
        self.kernel.emit(FunctionReturned(OF_THE_MACHINE, "vmbus_bus_suspend", error))
        return error

    async def _forget_relids(self) -> None:
        """The next connection's offers bring others."""
        await self.channel_mutex.lock()
        for channel in self.primary_channels.values():
            self.unmap_relid(channel)
            channel.relid = INVALID_RELID
            self.nr_chan_fixup_on_resume += 1
        await self.channel_mutex.unlock()

    async def vmbus_bus_resume(self) -> int:
        """vmbus_bus_resume(): 0, or why there is no connection; a missing channel is no error.

        -EINVAL without a version used before, else as ``vmbus_negotiate_version()``.
        """
        self.ignore_any_offer_msg = False
        error = -EINVAL
        if self.dialect is not None:
            error = await self.vmbus_negotiate_version(self.dialect)
        if not error:
            await self.request_offers()
            if not await self.wait_for_offers():
                self.kernel.log("err", "Some vmbus device is missing after suspending?")
        self.kernel.emit(FunctionReturned(OF_THE_MACHINE, "vmbus_bus_resume", error))
        return error

    async def wait_for_offers(self) -> bool:
        """Whether every old channel has been offered again in time."""
        return await self.ready_for_resume_event.wait_timeout(RESUME_TIMEOUT_MS)

    async def take_up_again(self, old: VmbusChannel, offer: VmbusChannelOfferChannel) -> None:
        """vmbus_onoffer() for an instance that has a channel: its number, and whatever changed.

        An instance that was taken back and is offered before its device has gone ends here too:
        Linux warns, and goes on as if it resumed.
        """
        await self.channel_mutex.lock()
        self.offer_in_progress -= 1
        if old.relid != INVALID_RELID:
            self.kernel.log("warn", f"channel {old.relid} is offered again as {offer.child_relid}")
        self.replace_offer(old, offer)
        self.map_relid(old)
        await self.check_ready_for_resume_event()
        await self.channel_mutex.unlock()

    async def check_ready_for_resume_event(self) -> None:
        """check_ready_for_resume_event(): the last of the old channels wakes the bus."""
        self.nr_chan_fixup_on_resume -= 1
        if self.nr_chan_fixup_on_resume == 0:
            await self.ready_for_resume_event.complete()
