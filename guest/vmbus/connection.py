# SPDX-License-Identifier: MIT
"""The VMBus connection: its state, from the contact to its end. After drivers/hv/connection.c.

What the host delivers comes in through ``interrupts`` and ``messages``.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from guest.isolation import NONE, Isolation
from guest.kernel.kernel import Kernel
from guest.kernel.lists import ListHead
from guest.kernel.rcu import Rcu
from guest.kernel.sync import Completion, Mutex, SpinLock
from guest.kernel.work import WorkQueue
from guest.vmbus.bus_type import BusType
from guest.vmbus.channel import HvDriver, VmbusChannel
from guest.vmbus.contact import Contact
from guest.vmbus.interrupts import VmbusInterrupts
from guest.vmbus.messages import dispatch_message
from guest.vmbus.mmio import VmbusMmio
from guest.vmbus.post import ChannelMessageInfo, vmbus_post_msg
from guest.vmbus.power import BusPower
from guest.vmbus.synic import synic_state
from protocol.ids import RelId
from protocol.versions import VmbusDialect
from protocol.vmbus import ChannelMessageType, VmbusChannelMessageHeader

FIRST_GPADL_HANDLE = 0xE1E10  # Linux's seed


class VmbusConnection(Contact, BusPower):
    """struct vmbus_connection, and the driver core's part of the bus."""

    def __init__(
        self,
        kernel: Kernel,
        *,
        versions: Sequence[int],
        mmio: VmbusMmio,
        interrupts: type[VmbusInterrupts] = VmbusInterrupts,
        isolation: Isolation = NONE,
        coherent_dma: bool | None = None,
        vtl: int = 0,
    ) -> None:
        """``vtl``: the virtual trust level that the guest runs in, 2 for a paravisor.

        ``coherent_dma``: what the ACPI node of VMBus says (_CCA); None where it says nothing.

        Hosts of old left it out on arm64, and all were coherent: vmbus_acpi_add() assumes so.
        """
        self.kernel = kernel
        self.isolation = isolation
        self.vtl = vtl
        self.versions = tuple(versions)
        self.mmio = mmio
        self.coherent_dma = coherent_dma is not False
        self.dialect: VmbusDialect | None = None
        self.msg_conn_id = 0
        self.channels: dict[RelId, VmbusChannel] = {}  # vmbus_connection.channels[]
        self.refused_relids: set[RelId] = set()
        self.primary_channels: dict[tuple[UUID, UUID], VmbusChannel] = {}  # chn_list, by identity
        self.by_instance: dict[UUID, list[VmbusChannel]] = {}
        self.chn_msg_list: ListHead[ChannelMessageInfo] = ListHead("chn_msg_list")
        self.channelmsg_lock = SpinLock(kernel, "channelmsg_lock")
        self.channel_mutex = Mutex(kernel, "channel_mutex")
        self.connected = False  # conn_state
        self.offer_in_progress = 0
        self.ignore_any_offer_msg = False
        self.nr_chan_fixup_on_resume = 0
        self.ready_for_resume_event = Completion(kernel, "ready_for_resume_event")
        self.work_queue: WorkQueue = WorkQueue(kernel, "hv_vmbus_con")
        self.rescind_work_queue: WorkQueue = WorkQueue(kernel, "hv_vmbus_rescind")
        self.handle_primary_chan_wq = WorkQueue(kernel, "hv_pri_chan")
        self.unload_event = Completion(kernel, "unload_event")
        self.bus = BusType(kernel)
        self.rcu = Rcu(kernel)
        # The interrupt page, unused by channels with an interrupt of their own, and the two
        # monitor pages, of which only the addresses are told.
        self.interrupt_page, *self.monitor_pages = (
            kernel.memory.alloc_pages(1)[0] for _ in range(3)
        )
        self._next_gpadl_handle = FIRST_GPADL_HANDLE
        self.interrupts = interrupts(
            kernel, self.rcu, self.channels, partial(dispatch_message, self)
        )
        kernel.hotplug.setup_state(synic_state(self))
        self.synic_message = self.interrupts.synic_message
        self.synic_event = self.interrupts.synic_event
        kernel.pm.add(self, "vmbus", self.pm_ops())

    @property
    def pages_of_its_own(self) -> int:
        """Blocks of pages that live as long as the connection."""
        return 1 + len(self.monitor_pages)

    def nobody_reads(self, channel: VmbusChannel) -> bool:
        """Whether a packet would come too late (hv_ringbuffer_write() looks at the same flag)."""
        return channel.rescind

    def take_gpadl_handle(self) -> int:
        """The next GPADL handle; they count up and are never used twice."""
        handle = self._next_gpadl_handle
        self._next_gpadl_handle += 1
        return handle

    async def request_offers(self) -> int:
        """vmbus_request_offers()."""
        message = VmbusChannelMessageHeader(msgtype=ChannelMessageType.CHANNELMSG_REQUESTOFFERS)
        return await vmbus_post_msg(self, message.build())

    def disconnect(self) -> bool:
        """xchg(conn_state, DISCONNECTED); whether the host is to be told by UNLOAD.

        Hosts older than 3.0 do not know the message.
        """
        was_connected, self.connected = self.connected, False
        return was_connected and self.dialect is not None and self.dialect.unload

    async def initiate_unload(self) -> None:
        """vmbus_initiate_unload() of a kernel that still lives: UNLOAD and its answer."""
        if not self.disconnect():
            return
        message = VmbusChannelMessageHeader(msgtype=ChannelMessageType.CHANNELMSG_UNLOAD)
        self.unload_event.reinit()
        await vmbus_post_msg(self, message.build())
        await self.unload_event.wait()

    def register_driver(self, driver: HvDriver) -> Coroutine[Any, Any, int]:
        """vmbus_driver_register(): the devices that are there and those to come may bind to it."""
        return self.bus.register(driver)

    def unregister_driver(self, driver: HvDriver) -> Coroutine[Any, Any, None]:
        """vmbus_driver_unregister()."""
        return self.bus.unregister(driver)
