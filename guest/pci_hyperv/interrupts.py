# SPDX-License-Identifier: MIT
"""Message-signalled interrupts: mappings asked of the host, given back, masked and retargeted.

Composing runs under interrupt locks and must not sleep, so it polls the channel itself. How a CPU
is finally chosen belongs to the architecture policy (``arch_x86``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from guest.events import MsiComposed, MsiFreed, MsiNotComposed
from guest.kernel import ops
from guest.kernel.memory import GFP_ATOMIC, Allocated
from guest.kernel.sync import SpinLock
from guest.pci_core.msi_regs import pci_msi_mask_irq, pci_msi_unmask_irq
from guest.pci_core.types import NULL_MSI_MSG, MsiMsg
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.channel import Channel
from guest.pci_hyperv.device import HvPciDev
from guest.pci_hyperv.interrupt_requests import COMPOSERS, IntDesc, InterruptRequest
from guest.pci_hyperv.requests import HvPciCompl, PciPacket
from protocol.ids import CpuId, RelId, Vector
from protocol.vpci import (
    PciCreateIntResponse,
    PciDeleteInterrupt,
    TranIntDesc,
)

if TYPE_CHECKING:
    from guest.kernel.irq import IrqData
    from guest.kernel.kernel import Kernel
    from guest.pci_core.types import MsiDesc, PciDev
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


class Interrupts(Channel):
    """The MSI controller of every vPCI bus."""

    multi_msi_cpu_lock: SpinLock
    multi_msi_cpu_next: int

    async def hv_int_desc_free(self, hpdev: HvPciDev, int_desc: IntDesc) -> None:
        """Give a mapping back to the host; a vector inside a multi-MSI block has none.

        Sent in the first form at every version, and not sent again if the ring is full (open item
        O14).
        """
        wslot = hpdev.desc.win_slot
        if int_desc.vector_count:
            message = PciDeleteInterrupt(wslot=wslot, int_desc=int_desc.wire())
            await self.send_message(hpdev.hbus.hdev.channel, message.build())
        self.kernel.emit(MsiFreed(hpdev.relid, wslot, int_desc.address, int_desc.data))
        await self.kernel.kfree(int_desc)

    async def hv_msi_free(self, data: IrqData) -> None:
        """``msi_domain_ops.msi_free``: the interrupt is given up."""
        int_desc = data.chip_data
        if int_desc is None:
            return
        assert isinstance(int_desc, IntDesc)
        pdev = self.pci_dev_of(data)
        data.chip_data = None
        hpdev = await self.get_pcichild_wslot(
            self.bus_of(pdev.bus), self.devfn_to_wslot(pdev.devfn)
        )
        if hpdev is None:
            await self.kernel.kfree(int_desc)
            return
        await self.hv_int_desc_free(hpdev, int_desc)
        await self.put_pcichild(hpdev)

    async def hv_irq_mask(self, data: IrqData) -> None:
        """``irq_chip.irq_mask``: in the device; x86 vectors have no mask of their own."""
        await pci_msi_mask_irq(data)

    async def hv_irq_unmask(self, data: IrqData) -> None:
        """``irq_chip.irq_unmask``: retarget, then unmask in the device, come what may (O17)."""
        await self.arch.hv_arch_irq_unmask(self, data)
        await pci_msi_unmask_irq(data)

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
        online = self.online_cpus(affinity)
        return online[0] if online else len(self.kernel.cpus)

    def online_cpus(self, mask: int) -> list[int]:
        """CPUs of a mask that are online, ascending."""
        cpus = self.kernel.cpus
        found = []
        while mask:  # by its bits: an interrupt names one of perhaps hundreds of CPUs
            cpu = (mask & -mask).bit_length() - 1
            mask &= mask - 1
            if cpus[cpu].online:
                found.append(cpu)
        return found

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

    async def hv_compose_msi_msg(self, data: IrqData) -> MsiMsg:
        """``irq_chip.irq_compose_msi_msg``: address and data for the device, zeroes on failure.

        An interrupt that has a mapping already gives it back first; not so in a multi-MSI block,
        where the first vector's mapping serves all.
        """
        msi_desc = data.msi_desc
        assert msi_desc is not None
        multi_msi = self.is_multi_msi(msi_desc)
        if isinstance(data.chip_data, IntDesc) and self.may_reuse(multi_msi):
            return _message(data.chip_data.address, data.chip_data.data)
        pdev = msi_desc.pci_dev
        hbus = self.bus_of(pdev.bus)
        relid = hbus.relid
        hpdev = await self.get_pcichild_wslot(hbus, self.devfn_to_wslot(pdev.devfn))
        if hpdev is None:
            return self._null_message(relid, data, "no such function")
        if isinstance(data.chip_data, IntDesc):
            old, data.chip_data = data.chip_data, None
            await self.hv_int_desc_free(hpdev, old)
        int_desc = await self.kernel.kzalloc(IntDesc, GFP_ATOMIC)
        if int_desc is None:
            msg = self._null_message(relid, data, "out of memory")
        elif multi_msi and msi_desc.irq != data.irq:
            msg = self._derive_message(msi_desc, data, int_desc)
        else:
            msg = await self._create_message(hbus, hpdev, data, int_desc)
        await self.put_pcichild(hpdev)
        return msg

    def is_multi_msi(self, msi_desc: MsiDesc) -> bool:
        """Several MSI vectors behind one descriptor."""
        return not msi_desc.is_msix and msi_desc.nvec_used > 1

    def may_reuse(self, multi_msi: bool) -> bool:
        """Only a multi-MSI block keeps its mapping when it is composed again."""
        return multi_msi

    def _derive_message(self, msi_desc: MsiDesc, data: IrqData, int_desc: IntDesc) -> MsiMsg:
        """A later vector of a block: the first one's address, its data plus the index."""
        first = msi_desc.msg
        int_desc.address = first.address_lo | first.address_hi << 32
        int_desc.data = first.data + (data.irq - msi_desc.irq)
        data.chip_data = int_desc
        return _message(int_desc.address, int_desc.data)

    async def _create_message(
        self, hbus: HvPciBus, hpdev: HvPciDev, data: IrqData, int_desc: IntDesc
    ) -> MsiMsg:
        """Ask the host for a mapping and wait for it."""
        request, cpu = await self._interrupt_request(hpdev, data)
        frame = self.kernel.stack_frame("hv_compose_msi_msg")
        comp = frame.own(ComposeCompCtxt(self.kernel))
        packet = frame.own(PciPacket(self.hv_pci_compose_compl, comp))
        failure = await self._exchange(hbus, hpdev, request, packet, comp)
        answer = comp.int_desc
        frame.leave()
        if failure or answer is None:
            self.kernel.log("err", f"request for interrupt failed: {failure}")
            await self.kernel.kfree(int_desc)
            return self._null_message(hpdev.relid, data, failure)
        int_desc.assign(answer)
        data.chip_data = int_desc
        self.kernel.emit(
            MsiComposed(
                hpdev.relid, request.wslot, data.irq, CpuId(cpu), Vector(request.vector),
                request.vector_count, answer.address, answer.data,
            )
        )  # fmt: skip
        return _message(answer.address, answer.data)

    async def _interrupt_request(
        self, hpdev: HvPciDev, data: IrqData
    ) -> tuple[InterruptRequest, int]:
        """What to ask for, and the CPU behind its VP."""
        msi_desc = data.msi_desc
        assert msi_desc is not None
        if self.is_multi_msi(msi_desc):
            vector, count = MULTI_MSI_VECTOR, msi_desc.nvec_used
            cpu = await self.hv_compose_multi_msi_req_get_cpu()
        else:
            vector, count = self.arch.hv_msi_get_int_vector(data), 1
            cpu = self.hv_compose_msi_req_get_cpu(data.effective_affinity)
        vp = self.kernel.cpus[cpu].vp
        wslot = hpdev.desc.win_slot
        return InterruptRequest(wslot, vp, vector, count, self.arch.delivery_mode), cpu

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
        await channel.callback_event.disable()
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

    def _null_message(self, relid: RelId, data: IrqData, reason: str) -> MsiMsg:
        self.kernel.emit(MsiNotComposed(relid, data.irq, reason))
        return NULL_MSI_MSG

    def pci_dev_of(self, data: IrqData) -> PciDev:
        """msi_desc_to_pci_dev()."""
        assert data.msi_desc is not None
        return data.msi_desc.pci_dev


def _message(address: int, data: int) -> MsiMsg:
    return MsiMsg(address & U32, address >> 32, data)


class HvMsiChip:
    """``hv_msi_irq_chip`` and ``hv_msi_ops`` under the PCI core's names."""

    __slots__ = ("compose_msi_msg", "irq_mask", "irq_unmask", "msi_free", "name")

    def __init__(self, driver: Interrupts) -> None:
        self.name = "Hyper-V PCIe MSI"
        self.compose_msi_msg = driver.hv_compose_msi_msg
        self.irq_mask = driver.hv_irq_mask
        self.irq_unmask = driver.hv_irq_unmask
        self.msi_free = driver.hv_msi_free
