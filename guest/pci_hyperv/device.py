# SPDX-License-Identifier: MIT
"""The function (``struct hv_pci_dev``): its references, its birth, how it is found by slot.

Knows nothing of when functions come and go: relations and eject decide that.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from guest.events import ChildAdded, ChildFreed
from guest.kernel.alone import alone
from guest.kernel.lists import ListNode
from guest.kernel.memory import GFP_KERNEL, Allocated, RefCount
from guest.kernel.sync import Completion
from guest.kernel.work import Work
from guest.pci_hyperv.messages import child_message
from guest.pci_hyperv.requests import PciPacket, Requests
from protocol import ids
from protocol.vpci import PROBED_BARS, MessageType, PciQResReqResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from guest.kernel.kernel import Kernel
    from guest.pci_core.types import PciSlot
    from guest.pci_hyperv.bus import HvPciBus
    from protocol.ids import SlotNumber
    from protocol.ring import Packet


class HvPciDevDescription(NamedTuple):
    """``struct hv_pcidev_description``: what a relations list says, whichever its version."""

    v_id: int
    d_id: int
    rev: int
    prog_intf: int
    subclass: int
    base_class: int
    subsystem_id: int
    win_slot: SlotNumber
    ser: int
    flags: int = 0
    virtual_numa_node: int = 0

    @property
    def identity(self) -> tuple[int, int, int, int]:
        """What makes two entries the same function: slot, vendor, device, serial."""
        return (self.win_slot, self.v_id, self.d_id, self.ser)


NO_DESCRIPTION = HvPciDevDescription(0, 0, 0, 0, 0, 0, 0, ids.SlotNumber(0), 0)


class HvPciDev(Allocated):
    """``struct hv_pci_dev``; locals of this type are called ``hpdev``, as in the kernel.

    ``probed_bar`` is what each BAR would read back after all ones were written to it.
    """

    __slots__ = (
        "block_invalidate",
        "desc",
        "hbus",
        "invalidate_context",
        "list_entry",
        "pci_slot",
        "probed_bar",
        "refs",
        "relid",
        "reported_missing",
        "wrk",
    )
    EMBEDDED: ClassVar[tuple[str, ...]] = ("list_entry", "wrk")

    def __init__(self, hbus: HvPciBus) -> None:
        self.hbus = hbus
        self.relid = hbus.relid  # for events: the bus may be gone before its function
        self.list_entry = ListNode(self)
        self.refs = RefCount(0)
        self.pci_slot: PciSlot | None = None
        self.desc = NO_DESCRIPTION
        self.reported_missing = False
        self.wrk: Work | None = None
        self.block_invalidate: Callable[[object, int], Awaitable[None]] | None = None
        self.invalidate_context: object = None
        self.probed_bar: list[int] = [0] * PROBED_BARS


class QResReqCompl(Allocated):
    """``struct q_res_req_compl``: the resource query that one new function waits for."""

    __slots__ = ("host_event", "hpdev")
    EMBEDDED: ClassVar[tuple[str, ...]] = ("host_event",)

    def __init__(self, kernel: Kernel, hpdev: HvPciDev) -> None:
        self.host_event = Completion(kernel, "host_event")
        self.hpdev = hpdev


class Device(Requests):
    """Functions of a bus: references, look-up, creation."""

    devfn_to_wslot = staticmethod(cache(ids.devfn_to_wslot))
    wslot_to_devfn = staticmethod(cache(ids.wslot_to_devfn))

    def get_pcichild(self, hpdev: HvPciDev) -> None:
        """One more reference."""
        hpdev.refs.get()

    async def put_pcichild(self, hpdev: HvPciDev) -> None:
        """One reference fewer; the last one frees the function."""
        if hpdev.refs.put():
            desc = hpdev.desc
            self.kernel.emit(ChildFreed(hpdev.relid, desc.win_slot, desc.ser))
            await self.kernel.kfree(hpdev)

    async def get_pcichild_wslot(self, hbus: HvPciBus, wslot: int) -> HvPciDev | None:
        """The function in ``wslot`` with a reference for the caller, who must put it; or None."""
        lock = hbus.device_list_lock
        if alone(self.kernel, lock):
            return self._find_and_get(hbus, wslot)
        await lock.lock_irqsave()
        hpdev = self._find_and_get(hbus, wslot)
        await lock.unlock_irqrestore()
        return hpdev

    def _find_and_get(self, hbus: HvPciBus, wslot: int) -> HvPciDev | None:
        hpdev = self.find_child(hbus, wslot)
        if hpdev is not None:
            self.get_pcichild(hpdev)
        return hpdev

    def find_child(self, hbus: HvPciBus, wslot: int) -> HvPciDev | None:
        """The function in ``wslot``, or None.

        Whoever may suspend before it is done with it holds the list lock, then a reference. Walked
        by hand: a generator costs three times the rest of a configuration access's look-up.
        """
        root = hbus.children.root
        node = root.next
        while node is not root:
            assert node is not None, "a node that is linked has a successor"
            hpdev: HvPciDev = node.owner
            if hpdev.desc.win_slot == wslot:
                return hpdev
            node = node.next
        return None

    async def q_resource_requirements(
        self, context: QResReqCompl, packet: Packet, size: int
    ) -> None:
        """Answer to the resource query: six probed BARs. A failure leaves them zero, as in C."""
        status = -1
        if self.reaches(size, PciQResReqResponse):
            answer = PciQResReqResponse.parse(packet.payload)
            status = answer.status
        if status < 0:
            self.kernel.log("err", f"query resource requirements failed: {status:x}")
        else:
            context.hpdev.probed_bar[:] = answer.probed_bar
        await context.host_event.complete()

    async def new_pcichild_device(
        self, hbus: HvPciBus, desc: HvPciDevDescription
    ) -> HvPciDev | None:
        """Create a function, ask the host what resources it needs, link it; None on failure.

        The function starts with two references: the list's, and one that whoever unlinks it puts
        too (pci_devices_present_work() and hv_eject_device_work()).
        """
        hpdev = await self.kernel.kzalloc(HvPciDev, GFP_KERNEL, hbus)
        if hpdev is None:
            return None
        if await self.query_resource_requirements(hbus, hpdev, desc):
            await self.kernel.kfree(hpdev)
            return None
        hpdev.desc = desc
        hpdev.refs = RefCount(1)
        self.get_pcichild(hpdev)
        await hbus.device_list_lock.lock_irqsave()
        hbus.children.add_tail(hpdev)
        self.kernel.emit(ChildAdded(hbus.relid, desc.win_slot, desc.v_id, desc.d_id, desc.ser))
        await hbus.device_list_lock.unlock_irqrestore()
        return hpdev

    async def query_resource_requirements(
        self, hbus: HvPciBus, hpdev: HvPciDev, desc: HvPciDevDescription
    ) -> int:
        """The request of :meth:`new_pcichild_device`; 0 once it was answered, else -errno."""
        frame = self.kernel.stack_frame("new_pcichild_device")
        comp_pkt = frame.own(QResReqCompl(self.kernel, hpdev))
        packet = frame.own(PciPacket(self.q_resource_requirements, comp_pkt))
        message = child_message(MessageType.PCI_QUERY_RESOURCE_REQUIREMENTS, desc.win_slot)
        ret = await self.send_request(hbus.hdev.channel, message, packet)
        if not ret:
            ret = await self.wait_for_response(hbus.hdev, comp_pkt.host_event)
        frame.leave()
        return ret
