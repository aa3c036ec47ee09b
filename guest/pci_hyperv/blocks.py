# SPDX-License-Identifier: MIT
"""Configuration blocks: a side channel of up to 128 bytes between a VF driver and its PF driver.

Knows nothing of what the blocks mean; the sample NIC driver does.
"""

from __future__ import annotations

from errno import EINVAL, EIO, ENODEV
from typing import TYPE_CHECKING, ClassVar

from guest.events import BlockInvalidated, FunctionReturned
from guest.kernel import ops
from guest.kernel.faults import NullDereference
from guest.kernel.memory import Allocated
from guest.pci_hyperv.device import Device, HvPciDev
from guest.pci_hyperv.requests import HvPciCompl, PciPacket
from protocol.vpci import (
    CONFIG_BLOCK_BYTES_MAX,
    WRITE_BLOCK_QUIRK_BYTES,
    PciReadBlock,
    PciReadBlockResponse,
    PciResponse,
    PciWriteBlock,
)

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel
    from guest.pci_core.types import BlockInvalidate, PciDev
    from protocol.ring import Packet


class HvReadConfigCompl(Allocated):
    """``struct hv_read_config_compl``: the answer's status, and at most ``length`` of its bytes.

    ``data`` is written by a successful answer only.
    """

    __slots__ = ("comp_pkt", "data", "length")
    EMBEDDED: ClassVar[tuple[str, ...]] = ("comp_pkt",)
    data: bytes

    def __init__(self, kernel: Kernel, length: int) -> None:
        self.comp_pkt = HvPciCompl(kernel)
        self.length = length


class Blocks(Device):
    """Read, write, be told of changes: ``hvpci_block_ops``."""

    async def hv_pci_read_config_compl(
        self, context: HvReadConfigCompl, packet: Packet, size: int
    ) -> None:
        """Answer to a read: status and bytes, the ring's padding among them."""
        status = -1
        if self.reaches(size, PciResponse):
            answer = PciReadBlockResponse.parse(packet.payload)
            status = answer.status
            if status == 0:
                context.data = answer.bytes[: context.length]
        context.comp_pkt.completion_status = status
        await context.comp_pkt.host_event.complete()

    async def hv_pci_write_config_compl(
        self, context: HvPciCompl, packet: Packet, _size: int
    ) -> None:
        """Answer to a write: a status."""
        context.completion_status = PciResponse.parse(packet.payload).status
        await context.host_event.complete()

    async def hv_read_config_block(
        self, pdev: PciDev, block_id: int, length: int
    ) -> tuple[int, bytes]:
        """Read a block: (0, its bytes), or (-EINVAL, -EIO, -ENODEV …, nothing).

        Returns up to 7 bytes more than the block has, if asked for them: ring padding counts.
        """
        if not 0 < length <= CONFIG_BLOCK_BYTES_MAX:
            return -EINVAL, b""
        hbus = self.bus_of(pdev.bus)
        relid = hbus.relid
        frame = self.kernel.stack_frame("hv_read_config_block")
        comp = frame.own(HvReadConfigCompl(self.kernel, length))
        packet = frame.own(PciPacket(self.hv_pci_read_config_compl, comp))
        wslot = self.devfn_to_wslot(pdev.devfn)
        message = PciReadBlock(block_id=block_id, wslot=wslot, bytes_requested=length)
        ret = await self.send_request(hbus.hdev.channel, message.build(), packet)
        if not ret:
            ret = await self.wait_for_response(hbus.hdev, comp.comp_pkt.host_event)
        data = b""
        if not ret and comp.comp_pkt.completion_status == 0:
            data = comp.data
        if not ret and not data:
            self.kernel.log("err", f"read config block failed: {comp.comp_pkt.completion_status:x}")
            ret = -EIO
        frame.leave()
        if ret:
            self.kernel.emit(FunctionReturned(relid, "hv_read_config_block", ret))
            return ret, b""
        return 0, data

    async def hv_write_config_block(self, pdev: PciDev, block_id: int, data: bytes) -> int:
        """Write a block: 0, or -EINVAL, -EIO, -ENODEV …"""
        if not 0 < len(data) <= CONFIG_BLOCK_BYTES_MAX:
            return -EINVAL
        hbus = self.bus_of(pdev.bus)
        relid = hbus.relid
        frame = self.kernel.stack_frame("hv_write_config_block")
        comp_pkt = frame.own(HvPciCompl(self.kernel))
        packet = frame.own(PciPacket(self.hv_pci_write_config_compl, comp_pkt))
        message = PciWriteBlock(
            block_id=block_id,
            wslot=self.devfn_to_wslot(pdev.devfn),
            byte_count=len(data),
            bytes=data + bytes(WRITE_BLOCK_QUIRK_BYTES),
        )
        ret = await self.send_request(hbus.hdev.channel, message.build(), packet)
        if not ret:
            ret = await self.wait_for_response(hbus.hdev, comp_pkt.host_event)
        if not ret and comp_pkt.completion_status != 0:
            self.kernel.log("err", f"write config block failed: {comp_pkt.completion_status:x}")
            ret = -EIO
        frame.leave()
        if ret:
            self.kernel.emit(FunctionReturned(relid, "hv_write_config_block", ret))
        return ret

    async def hv_register_block_invalidate(
        self,
        pdev: PciDev,
        context: object,
        block_invalidate: BlockInvalidate | None,
    ) -> int:
        """Whom to tell of stale blocks; None to be left alone. 0 or -ENODEV.

        Two plain stores without a lock: a callback in flight may see one of them only (open item
        O11).
        """
        hbus = self.bus_of(pdev.bus)
        hpdev = await self.get_pcichild_wslot(hbus, self.devfn_to_wslot(pdev.devfn))
        if hpdev is None:
            return -ENODEV
        hpdev.block_invalidate = block_invalidate
        await ops.point(self.kernel, "hpdev.block_invalidate")
        hpdev.invalidate_context = context
        await self.put_pcichild(hpdev)
        return 0

    async def invalidate_block(self, hpdev: HvPciDev, block_mask: int) -> None:
        """Call the registered function, if there is one. Softirq context."""
        if hpdev.block_invalidate is None:
            return
        await ops.point(self.kernel, "hpdev.block_invalidate")
        block_invalidate = hpdev.block_invalidate
        if block_invalidate is None:
            raise NullDereference("hpdev->block_invalidate called after it was unregistered")
        await block_invalidate(hpdev.invalidate_context, block_mask)
        self.kernel.emit(BlockInvalidated(hpdev.relid, hpdev.desc.win_slot, block_mask))


class HvPciBlockOps:
    """``hvpci_block_ops`` under the names by which function drivers know it."""

    __slots__ = ("read_block", "reg_blk_invalidate", "write_block")

    def __init__(self, driver: Blocks) -> None:
        self.read_block = driver.hv_read_config_block
        self.write_block = driver.hv_write_config_block
        self.reg_blk_invalidate = driver.hv_register_block_invalidate
