# SPDX-License-Identifier: MIT
"""The VMBus connection: contact, interrupts, and the dispatch of control messages.

After drivers/hv/connection.c and vmbus_drv.c. The hypervisor's one message slot and its event
flags of SINT 2 live here too: what the host puts there raises ``vmbus_isr`` on that CPU.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from errno import ECONNREFUSED, ENOMEM
from typing import Any
from uuid import UUID

from guest.kernel.alone import alone
from guest.kernel.kernel import Kernel
from guest.kernel.lists import ListHead
from guest.kernel.memory import GFP_ATOMIC, Allocated
from guest.kernel.rcu import Rcu
from guest.kernel.sync import Completion, Mutex, SpinLock
from guest.kernel.work import Tasklet, Work, WorkQueue
from guest.vmbus import answers, offers
from guest.vmbus.channel import HvDriver, VmbusChannel, inbound_ring
from guest.vmbus.driver_core import BusType
from guest.vmbus.mmio import VmbusMmio
from guest.vmbus.post import ChannelMessageInfo, begin_request, unlist_request, vmbus_post_msg
from protocol.codec import WireRecord
from protocol.ids import RelId, VpIndex
from protocol.versions import VMBUS_DIALECTS, VmbusDialect
from protocol.vmbus import (
    ChannelMessageType,
    VmbusChannelInitiateContact,
    VmbusChannelMessageHeader,
    VmbusChannelOfferChannel,
    VmbusChannelRescindOffer,
    VmbusChannelVersionResponse,
)

CONNECT_CPU = 0  # VMBUS_CONNECT_CPU
MESSAGE_SINT = 2  # VMBUS_MESSAGE_SINT
FIRST_GPADL_HANDLE = 0xE1E10  # Linux's seed
HV_MESSAGE_HEADER_BYTES = 16
CHANNELMSG_COUNT = 25


Handler = Callable[["VmbusConnection", Any], Awaitable[None]]


class OnMessageWork(Allocated):
    """struct onmessage_work_context: a control message that is handled where one may sleep."""

    __slots__ = ("handle", "message", "work")
    EMBEDDED = ("work",)

    def __init__(self, work: Work, message: WireRecord, handle: Handler) -> None:
        self.work = work
        self.message = message
        self.handle = handle
        work.owner = self


class CpuContext:
    """struct hv_per_cpu_context: the CPU's SynIC message slot, event flags and their tasklet.

    ``queued`` are messages the hypervisor holds back until the slot is free.
    """

    __slots__ = ("event_flags", "isr_name", "isr_pending", "msg_dpc", "queued", "slot")

    def __init__(self, kernel: Kernel, dpc: Callable[[], Awaitable[None]], cpu: int) -> None:
        self.isr_name = f"vmbus_isr@{cpu}"
        self.slot: bytes | None = None
        self.queued: deque[bytes] = deque()
        self.event_flags: dict[int, None] = {}
        self.isr_pending = False
        self.msg_dpc = Tasklet(kernel, f"vmbus_on_msg_dpc/{cpu}", dpc)


class VmbusConnection:
    """struct vmbus_connection, and the driver core's part of the bus."""

    def __init__(self, kernel: Kernel, *, versions: Sequence[int], mmio: VmbusMmio) -> None:
        self.kernel = kernel
        self.versions = tuple(versions)
        self.mmio = mmio
        self.dialect: VmbusDialect | None = None
        self.msg_conn_id = 0
        self.channels: dict[RelId, VmbusChannel] = {}  # vmbus_connection.channels[]
        self.primary_channels: dict[tuple[UUID, UUID], VmbusChannel] = {}  # chn_list, by identity
        self.chn_msg_list: ListHead[ChannelMessageInfo] = ListHead("chn_msg_list")
        self.channelmsg_lock = SpinLock(kernel, "channelmsg_lock")
        self.channel_mutex = Mutex(kernel, "channel_mutex")
        self.offer_in_progress = 0
        self.work_queue = WorkQueue(kernel, "hv_vmbus_con")
        self.rescind_work_queue = WorkQueue(kernel, "hv_vmbus_rescind")
        self.handle_primary_chan_wq = WorkQueue(kernel, "hv_pri_chan")
        self.unload_event = Completion(kernel, "unload_event")
        self.bus = BusType(kernel)
        self.rcu = Rcu(kernel)
        self._blocking: dict[int, tuple[WorkQueue, type[WireRecord], Handler]] = {
            ChannelMessageType.CHANNELMSG_OFFERCHANNEL: (
                self.work_queue,
                VmbusChannelOfferChannel,
                offers.vmbus_onoffer,
            ),
            ChannelMessageType.CHANNELMSG_RESCIND_CHANNELOFFER: (
                self.rescind_work_queue,
                VmbusChannelRescindOffer,
                offers.vmbus_onoffer_rescind,
            ),
        }
        # The interrupt page, unused by channels with an interrupt of their own, and the two
        # monitor pages, of which only the addresses are told.
        self._interrupt_page, *self._monitor_pages = (
            kernel.memory.alloc_pages(1)[0] for _ in range(3)
        )
        self._next_gpadl_handle = FIRST_GPADL_HANDLE
        self._cpus = [CpuContext(kernel, self._dpc_of(cpu), cpu) for cpu in range(len(kernel.cpus))]
        self._cpu_of_vp = {cpu.vp: cpu.index for cpu in kernel.cpus}

    @property
    def pages_of_its_own(self) -> int:
        """Blocks of pages that live as long as the connection."""
        return 1 + len(self._monitor_pages)

    def take_gpadl_handle(self) -> int:
        """The next GPADL handle; they count up and are never used twice."""
        handle = self._next_gpadl_handle
        self._next_gpadl_handle += 1
        return handle

    # --- contact ---

    async def connect(self) -> int:
        """vmbus_connect(): negotiate, highest version first; 0 or the last version's error."""
        error = -ECONNREFUSED
        for version in self.versions:
            error = await self._try_version(VMBUS_DIALECTS[version])
            if error == 0:
                break
        return error

    async def _try_version(self, dialect: VmbusDialect) -> int:
        """vmbus_try_connection_id(): 0, -ECONNREFUSED, -ENXIO, -ENOMEM or a posting error."""
        key = (ChannelMessageType.CHANNELMSG_INITIATE_CONTACT,)
        info = await begin_request(self, key, None)
        if info is None:
            return -ENOMEM
        self.msg_conn_id = dialect.message_connection_id
        contact = VmbusChannelInitiateContact(
            vmbus_version_requested=dialect.version,
            target_vcpu=self.kernel.cpus[CONNECT_CPU].vp,
            interrupt_page=MESSAGE_SINT if dialect.contact_carries_sint else self._interrupt_page,
            monitor_page1=self._monitor_pages[0],
            monitor_page2=self._monitor_pages[1],
        )
        error = await vmbus_post_msg(self, contact.build())
        if not error:
            await info.waitevent.wait()
        await unlist_request(self, info)
        response = info.response
        await self.kernel.kfree(info)
        if error:
            return error
        assert isinstance(response, VmbusChannelVersionResponse)
        if not response.version_supported:
            return -ECONNREFUSED
        self.dialect = dialect
        if dialect.reply_names_connection_id:
            self.msg_conn_id = response.msg_conn_id
        self.kernel.log("info", f"Vmbus version:{dialect.name}")
        return 0

    async def request_offers(self) -> int:
        """vmbus_request_offers()."""
        message = VmbusChannelMessageHeader(msgtype=ChannelMessageType.CHANNELMSG_REQUESTOFFERS)
        return await vmbus_post_msg(self, message.build())

    async def initiate_unload(self) -> None:
        """vmbus_initiate_unload() of a kernel that still lives: UNLOAD and its answer."""
        message = VmbusChannelMessageHeader(msgtype=ChannelMessageType.CHANNELMSG_UNLOAD)
        self.unload_event.reinit()
        await vmbus_post_msg(self, message.build())
        await self.unload_event.wait()

    def register_driver(self, driver: HvDriver) -> None:
        """vmbus_driver_register(): devices offered from now on may bind to it."""
        self.bus.drivers.append(driver)

    # --- what the hypervisor delivers ---

    def synic_message(self, vp: VpIndex, message: bytes) -> None:
        """A message for SINT 2 of this processor: into the slot, or behind it."""
        index = self._cpu_of_vp[vp]
        context = self._cpus[index]
        if context.slot is None:
            context.slot = message
            self._raise_isr(index)
        else:
            context.queued.append(message)

    def synic_event(self, vp: VpIndex, flag: int) -> None:
        """An event flag of SINT 2: a channel's relid."""
        index = self._cpu_of_vp[vp]
        self._cpus[index].event_flags[flag] = None
        self._raise_isr(index)

    def _raise_isr(self, index: int) -> None:
        context = self._cpus[index]
        if not context.isr_pending:  # the interrupt line is up already
            context.isr_pending = True
            self.kernel.raise_interrupt(index, context.isr_name, self._isr(context))

    async def _isr(self, context: CpuContext) -> None:
        """__vmbus_isr(): schedule the channels with events, then the message tasklet."""
        context.isr_pending = False
        flags, context.event_flags = context.event_flags, {}
        for relid in sorted(flags):
            channel = self.channels.get(RelId(relid))
            if channel is not None and not channel.rescind:
                await self._chan_sched(channel)
        if context.slot is not None:
            context.msg_dpc.schedule()

    async def _chan_sched(self, channel: VmbusChannel) -> None:
        """vmbus_chan_sched() for one relid."""
        lock = channel.sched_lock
        if alone(self.kernel, lock):
            channel.begin_read()
            return
        self.rcu.read_lock()
        await lock.lock()
        channel.begin_read()
        await lock.unlock()
        self.rcu.read_unlock()

    async def on_event(self, channel: VmbusChannel) -> None:
        """vmbus_on_event(): run the channel's callback, then allow interrupts again."""
        callback = channel.onchannel_callback
        if callback is None:
            return
        await callback(channel.callback_context)
        if (channel.inbound or inbound_ring(channel)).end_read():
            channel.begin_read()

    def _dpc_of(self, cpu: int) -> Callable[[], Awaitable[None]]:
        return lambda: self._on_msg_dpc(self._cpus[cpu], cpu)

    async def _on_msg_dpc(self, context: CpuContext, cpu: int) -> None:
        """vmbus_on_msg_dpc(): one message, then free the slot for the next."""
        if context.slot is None:
            return
        handled = await self._dispatch(context.slot)
        if not handled:
            return  # out of memory: Linux leaves the slot as it is
        context.slot = context.queued.popleft() if context.queued else None
        if context.slot is not None:
            self._raise_isr(cpu)

    async def _dispatch(self, message: bytes) -> bool:
        payload_bytes = message[4]
        payload = message[HV_MESSAGE_HEADER_BYTES : HV_MESSAGE_HEADER_BYTES + payload_bytes]
        msgtype = int.from_bytes(payload[:4], "little")
        if msgtype >= CHANNELMSG_COUNT:
            self.kernel.log("warn", f"unknown msgtype={msgtype}")
            return True
        handler = answers.HANDLERS.get(msgtype)
        if handler is not None:
            record, handle = handler
            if len(payload) < record.SIZE:
                self.kernel.log("warn", f"message too short: msgtype={msgtype} len={len(payload)}")
            else:
                await handle(self, record.parse(payload))
            return True
        if msgtype in self._blocking:
            return await self._queue_message(msgtype, payload)
        return True

    async def _queue_message(self, msgtype: int, payload: bytes) -> bool:
        """Offers and rescinds sleep: each kind has its queue, so a rescind can pass an offer."""
        queue, record, handle = self._blocking[msgtype]
        if len(payload) < record.SIZE:
            self.kernel.log("warn", f"message too short: msgtype={msgtype} len={len(payload)}")
            return True
        work = Work(handle.__name__, self._run_message)
        message = record.parse(payload)
        if await self.kernel.kzalloc(OnMessageWork, GFP_ATOMIC, work, message, handle) is None:
            return False
        if msgtype == ChannelMessageType.CHANNELMSG_OFFERCHANNEL:
            self.offer_in_progress += 1
        await queue.queue(work)
        return True

    async def _run_message(self, work: Work) -> None:
        """vmbus_onmessage_work()."""
        context = work.owner
        assert isinstance(context, OnMessageWork)
        await context.handle(self, context.message)
        await self.kernel.kfree(context)
