# SPDX-License-Identifier: MIT
"""CREATE_INTERRUPT and its answer: asked and waited for without sleeping.

Composing holds interrupt locks, so the channel is drained from here, with its tasklet disabled.
Knows nothing of what a mapping is for.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, ClassVar

from guest.kernel import ops
from guest.kernel.memory import Allocated
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.channel import Channel
from guest.pci_hyperv.device import HvPciDev
from guest.pci_hyperv.interrupt_requests import COMPOSERS, InterruptRequest
from guest.pci_hyperv.requests import HvPciCompl, PciPacket
from protocol.ids import TransactionId
from protocol.vpci import PciCreateIntResponse, TranIntDesc

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel
    from guest.vmbus.channel import VmbusChannel
    from protocol.ring import Packet

POLL_US = 100  # between looks at the ring while composing
GONE_VENDOR_ID = 0xFFFF
U32 = 0xFFFF_FFFF


class ComposeCompCtxt(Allocated):
    """``struct compose_comp_ctxt``: the mapping, once the host has answered with one."""

    __slots__ = ("comp_pkt", "int_desc")
    EMBEDDED: ClassVar[tuple[str, ...]] = ("comp_pkt",)
    int_desc: TranIntDesc

    def __init__(self, kernel: Kernel) -> None:
        self.comp_pkt = HvPciCompl(kernel)


class MappingRequest(Channel):
    """Ask the host for a mapping."""

    async def hv_pci_compose_compl(
        self, context: ComposeCompCtxt, packet: Packet, size: int
    ) -> None:
        """Answer to CREATE_INTERRUPT: a mapping."""
        status = -1
        if self.reaches(size, PciCreateIntResponse):
            answer = PciCreateIntResponse.parse(packet.payload)
            status = answer.status
            context.int_desc = answer.int_desc
        context.comp_pkt.completion_status = status
        await context.comp_pkt.host_event.complete()

    async def ask_for_mapping(
        self,
        hbus: HvPciBus,
        hpdev: HvPciDev,
        request: InterruptRequest,
        packet: PciPacket,
        comp: ComposeCompCtxt,
    ) -> str:
        """Send CREATE_INTERRUPT and poll for the answer; why it failed, or an empty string."""
        channel = hbus.hdev.channel
        assert hbus.dialect is not None
        message = COMPOSERS[hbus.dialect.create_message](request)
        ret, transaction_id = await self.send_request_getid(channel, message, packet)
        if ret:
            return self.not_sent(ret, comp)
        if not await self.await_answer(hbus, hpdev, comp):
            await self.forget_compose(channel, transaction_id, packet)
            return "the device has gone"
        return self.refusal(comp)

    def not_sent(self, ret: int, _comp: ComposeCompCtxt) -> str:
        """Why there is no mapping: nothing was sent, so there is no answer to look at."""
        return f"sending gave {ret}"

    def refusal(self, comp: ComposeCompCtxt) -> str:
        """Why the host gave no mapping, or an empty string."""
        status = comp.comp_pkt.completion_status
        return f"status {status & U32:#x}" if status < 0 else ""

    async def await_answer(self, hbus: HvPciBus, hpdev: HvPciDev, comp: ComposeCompCtxt) -> bool:
        """Wait for the answer without sleeping; False once the device has gone.

        The channel callback is called from here, so it must not run in its tasklet meanwhile.
        """
        tasklet = hbus.hdev.channel.callback_event
        await tasklet.disable_in_atomic()
        answered = await self.poll_for_answer(hbus, hpdev, comp)
        await tasklet.enable()
        return answered

    async def poll_for_answer(self, hbus: HvPciBus, hpdev: HvPciDev, comp: ComposeCompCtxt) -> bool:
        """Drain the ring every 100 us until the answer is there; False once the device has gone."""
        while not comp.comp_pkt.host_event.try_wait():
            if await self.has_gone(hpdev) or not await self.drain_channel(hbus):
                return False
            await ops.udelay(self.kernel, POLL_US)
        return True

    async def has_gone(self, hpdev: HvPciDev) -> bool:
        """Whether the function has left the VM, so that no answer will come."""
        return await self.hv_pcifront_get_vendor_id(hpdev) == GONE_VENDOR_ID

    async def drain_channel(self, hbus: HvPciBus) -> bool:
        """Call the channel callback; False if there is none any more.

        sched_lock keeps the ring from being freed meanwhile (vmbus_reset_channel_cb()).
        """
        channel = hbus.hdev.channel
        await channel.sched_lock.lock_irqsave()
        called = channel.onchannel_callback is not None
        if called:
            await self.hv_pci_onchannelcallback(hbus)
        await channel.sched_lock.unlock_irqrestore()
        return called

    def forget_compose(
        self, channel: VmbusChannel, transaction_id: TransactionId, packet: PciPacket
    ) -> Awaitable[None]:
        """The request dies with hv_compose_msi_msg()'s stack frame, but the host may answer it."""
        return self.forget_request(channel, transaction_id, packet)
