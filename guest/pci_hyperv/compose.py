# SPDX-License-Identifier: MIT
"""Composing an MSI: which CPU to name, asking the host for a mapping, polling for its answer.

Runs under interrupt locks and must not sleep, so it drains the channel itself, with the channel's
tasklet disabled. What happens to a mapping later is in ``interrupts``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from guest.events import MsiComposed, MsiNotComposed
from guest.kernel import ops
from guest.kernel.faults import OutOfBounds
from guest.kernel.irq_chip import NULL_MSI_MSG, MsiMsg
from guest.kernel.memory import Allocated
from guest.kernel.sync import SpinLock
from guest.kernel.vector_matrix import cpus_of, first_cpu
from guest.pci_core.types import irq_data_get_msi_desc
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.channel import Channel
from guest.pci_hyperv.device import HvPciDev
from guest.pci_hyperv.interrupt_requests import COMPOSERS, IntDesc, InterruptRequest
from guest.pci_hyperv.requests import HvPciCompl, PciPacket
from protocol.ids import RelId, Vector, VpIndex
from protocol.vpci import PciCreateIntResponse, TranIntDesc

if TYPE_CHECKING:
    from guest.kernel.irq import IrqData
    from guest.kernel.kernel import Kernel
    from guest.pci_core.types import MsiDesc
    from protocol.ring import Packet

# Of a multi-MSI block: aligned for every count up to 32 and not zero; unmasking sets the real one.
MULTI_MSI_VECTOR = 32
POLL_US = 100  # between looks at the ring while composing
GONE_VENDOR_ID = 0xFFFF
U32 = 0xFFFF_FFFF


class ComposeCompCtxt(Allocated):
    """``struct compose_comp_ctxt``: the mapping that the host answered with."""

    __slots__ = ("comp_pkt", "int_desc")
    EMBEDDED: ClassVar[tuple[str, ...]] = ("comp_pkt",)

    def __init__(self, kernel: Kernel) -> None:
        self.comp_pkt = HvPciCompl(kernel)
        self.int_desc: TranIntDesc | None = None


class Compose(Channel):
    """From an interrupt to its message."""

    multi_msi_cpu_lock: SpinLock
    multi_msi_cpu_next: int

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

    def hv_compose_msi_req_get_cpu(self, affinity: int) -> int:
        """The lowest online CPU of the mask; unmasking sends the real one."""
        lowest = first_cpu(affinity & self.kernel.cpu_online_mask)
        return lowest if lowest >= 0 else len(self.kernel.cpus)

    def online_cpus(self, mask: int) -> list[int]:
        """CPUs of a mask that are online, ascending."""
        return cpus_of(mask & self.kernel.cpu_online_mask)

    async def hv_compose_multi_msi_req_get_cpu(self) -> int:
        """The next online CPU, round robin over all devices.

        A multi-MSI block is mapped once and keeps the physical CPU that the host chose then, so
        blocks are spread here.
        """
        await self.multi_msi_cpu_lock.lock_irqsave()
        online = self.online_cpus((1 << len(self.kernel.cpus)) - 1)
        later = [cpu for cpu in online if cpu > self.multi_msi_cpu_next]
        self.multi_msi_cpu_next = (later or online)[0]
        cpu = self.multi_msi_cpu_next
        await self.multi_msi_cpu_lock.unlock_irqrestore()
        return cpu

    def is_multi_msi(self, msi_desc: MsiDesc) -> bool:
        """Several MSI vectors behind one descriptor."""
        return not msi_desc.is_msix and msi_desc.nvec_used > 1

    def derive_message(
        self, hpdev: HvPciDev, msi_desc: MsiDesc, data: IrqData, int_desc: IntDesc
    ) -> MsiMsg:
        """A later vector of a block: the first one's address, its data plus the index."""
        first = msi_desc.msg
        index = data.irq - msi_desc.irq
        int_desc.address = first.address_lo | first.address_hi << 32
        int_desc.data = first.data + index
        data.chip_data = int_desc
        self.emit_composed(hpdev, data, MULTI_MSI_VECTOR + index, int_desc)
        return message_of(int_desc.address, int_desc.data)

    def emit_composed(self, hpdev: HvPciDev, data: IrqData, vector: int, int_desc: IntDesc) -> None:
        """Say which mapping an interrupt has now."""
        self.kernel.emit(
            MsiComposed(
                hpdev.relid, hpdev.desc.win_slot, data.irq, Vector(vector),
                int_desc.vector_count, int_desc.address, int_desc.data,
            )
        )  # fmt: skip

    async def create_message(
        self, hbus: HvPciBus, hpdev: HvPciDev, data: IrqData, int_desc: IntDesc
    ) -> MsiMsg:
        """Ask the host for a mapping and wait for it."""
        request = await self.interrupt_request(hpdev, data)
        frame = self.kernel.stack_frame("hv_compose_msi_msg")
        comp = frame.own(ComposeCompCtxt(self.kernel))
        packet = frame.own(PciPacket(self.hv_pci_compose_compl, comp))
        failure = await self._exchange(hbus, hpdev, request, packet, comp)
        answer = comp.int_desc
        frame.leave()
        if failure or answer is None:
            self.kernel.log("err", f"request for interrupt failed: {failure}")
            await self.kernel.kfree(int_desc)
            return self.null_message(hpdev.relid, data, failure)
        int_desc.assign(answer)
        data.chip_data = int_desc
        self.emit_composed(hpdev, data, request.vector, int_desc)
        return message_of(answer.address, answer.data)

    async def interrupt_request(self, hpdev: HvPciDev, data: IrqData) -> InterruptRequest:
        """What to ask for."""
        msi_desc = irq_data_get_msi_desc(data)
        if self.is_multi_msi(msi_desc):
            vector, count = MULTI_MSI_VECTOR, msi_desc.nvec_used
            cpu = await self.hv_compose_multi_msi_req_get_cpu()
        else:
            vector, count = self.arch.hv_msi_get_int_vector(data), 1
            cpu = self.hv_compose_msi_req_get_cpu(self.affinity_of(data))
        wslot = hpdev.desc.win_slot
        mode = self.arch.delivery_mode
        return InterruptRequest(wslot, self.vp_of(cpu), vector, count, mode)

    def affinity_of(self, data: IrqData) -> int:
        """The CPUs that the interrupt is aimed at: the effective mask, not what was asked for."""
        return data.effective_affinity

    def vp_of(self, cpu: int) -> VpIndex:
        """hv_cpu_number_to_vp_number(); C reads past its table if no CPU of a mask is online."""
        if cpu >= len(self.kernel.cpus):
            raise OutOfBounds(f"hv_vp_index[{cpu}]")
        return self.kernel.cpus[cpu].vp

    async def _exchange(
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
            return f"sending gave {ret}"
        # Keep the channel callback from running in its tasklet while it is called from here.
        await channel.callback_event.disable_in_atomic()
        answered = await self.poll_for_answer(hbus, hpdev, comp)
        await channel.callback_event.enable()
        if not answered:
            await self.forget_request(channel, transaction_id, packet)
            return "the device has gone"
        status = comp.comp_pkt.completion_status
        return f"status {status & U32:#x}" if status < 0 else ""

    async def poll_for_answer(self, hbus: HvPciBus, hpdev: HvPciDev, comp: ComposeCompCtxt) -> bool:
        """Drain the ring every 100 us until the answer is there; False once the device has gone.

        sched_lock keeps the ring from being freed meanwhile (vmbus_reset_channel_cb()).
        """
        channel = hbus.hdev.channel
        while not comp.comp_pkt.host_event.try_wait():
            if await self.hv_pcifront_get_vendor_id(hpdev) == GONE_VENDOR_ID:
                return False
            await channel.sched_lock.lock_irqsave()
            if channel.onchannel_callback is None:
                await channel.sched_lock.unlock_irqrestore()
                return False
            await self.hv_pci_onchannelcallback(hbus)
            await channel.sched_lock.unlock_irqrestore()
            await ops.udelay(self.kernel, POLL_US)
        return True

    def null_message(self, relid: RelId, data: IrqData, reason: str) -> MsiMsg:
        self.kernel.emit(MsiNotComposed(relid, data.irq, reason))
        return NULL_MSI_MSG


def message_of(address: int, data: int) -> MsiMsg:
    return MsiMsg(address & U32, address >> 32, data)
