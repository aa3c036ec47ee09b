# SPDX-License-Identifier: MIT
"""The bus (``struct hv_pcibus_device``) and what every part of the driver shares.

Holds state and no behaviour beyond writing the bus state; knows neither messages nor the PCI core.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, ClassVar, cast

from guest.events import BusStateChanged
from guest.kernel import ops
from guest.kernel.faults import NullDereference
from guest.kernel.lists import ListHead
from guest.kernel.memory import Allocated
from guest.kernel.sync import Completion, Mutex, SpinLock
from guest.kernel.work import Work, WorkQueue, alloc_ordered_workqueue

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from guest.kernel.kernel import Kernel
    from guest.kernel.resource import Resource
    from guest.pci_core.subsystem import PciSubsystem
    from guest.pci_core.types import PciBus, PciHostBridge
    from guest.pci_hyperv.arch import ArchPolicy
    from guest.pci_hyperv.device import HvPciDev
    from guest.pci_hyperv.relations import HvDrState
    from guest.vmbus.channel import HvDevice
    from guest.vmbus.connection import VmbusConnection
    from protocol.ids import Gpa, RelId
    from protocol.versions import Dialect


class HvPciBusState(Enum):
    """``enum hv_pcibus_state``."""

    INIT = "init"
    PROBED = "probed"
    INSTALLED = "installed"
    REMOVING = "removing"


class HvPciBus(Allocated):
    """``struct hv_pcibus_device``; locals of this type are called ``hbus``, as in the kernel.

    ``low_mmio_space`` and ``high_mmio_space`` are sums of BAR sizes in bytes, ``cfg_addr`` is where
    the two-page configuration window is mapped (0 = not). ``wslot_res_allocated`` is the highest
    slot that has been assigned resources, -1 for none.
    """

    __slots__ = (
        "bridge",
        "cfg_addr",
        "children",
        "config_lock",
        "device_list_lock",
        "dialect",
        "dr_list",
        "fwnode",
        "hdev",
        "high_mmio_res",
        "high_mmio_space",
        "irq_domain",
        "low_mmio_res",
        "low_mmio_space",
        "mem_config",
        "relid",
        "state",
        "state_lock",
        "survey_event",
        "use_calls",
        "wq",
        "wslot_res_allocated",
    )
    EMBEDDED: ClassVar[tuple[str, ...]] = ("config_lock", "device_list_lock", "state_lock")

    def __init__(self, hdev: HvDevice, bridge: PciHostBridge, state_lock: Mutex) -> None:
        self.hdev = hdev
        self.relid: RelId = hdev.channel.relid  # for events, which also name a closed channel's bus
        self.bridge = bridge
        self.state_lock = state_lock
        self.state = HvPciBusState.INIT
        self.wslot_res_allocated = -1
        self.low_mmio_space = 0
        self.high_mmio_space = 0
        self.mem_config: Resource | None = None
        self.low_mmio_res: Resource | None = None
        self.high_mmio_res: Resource | None = None
        self.cfg_addr: Gpa | int = 0
        self.use_calls = False
        self.survey_event: Completion | None = None
        self.wq: WorkQueue | None = None
        self.fwnode: Allocated | None = None
        self.irq_domain: Allocated | None = None
        self.dialect: Dialect | None = None
        self.config_lock: SpinLock
        self.device_list_lock: SpinLock
        self.children: ListHead[HvPciDev] = ListHead("children")
        self.dr_list: ListHead[HvDrState] = ListHead("dr_list")


def hv_get_drvdata(hdev: HvDevice) -> HvPciBus:
    """The bus that probe hung onto the VMBus device."""
    return cast("HvPciBus", hdev.drvdata)


class DriverBase:
    """What all parts of the driver stand on: the kernel, VMBus, the PCI core, the architecture."""

    def __init__(
        self, kernel: Kernel, vmbus: VmbusConnection, pci: PciSubsystem, arch: ArchPolicy
    ) -> None:
        self.kernel = kernel
        self.vmbus = vmbus
        self.pci = pci
        self.arch = arch

    def new_state_lock(self) -> Mutex:
        """``hbus->state_lock``: probe holds it from D0 entry until the bus is installed."""
        return Mutex(self.kernel, "state_lock")

    async def set_bus_state(self, hbus: HvPciBus, state: HvPciBusState) -> None:
        """The one place that writes ``hbus->state``; the channel callback reads it unlocked."""
        await ops.point(self.kernel, "hbus.state")
        hbus.state = state
        self.kernel.emit(BusStateChanged(hbus.relid, state.value))

    async def new_workqueue(self, hbus: HvPciBus) -> WorkQueue | None:
        """The bus's ordered queue: relations and ejects never run side by side."""
        name = f"hv_pci_{hbus.bridge.domain_nr:x}"
        return await alloc_ordered_workqueue(self.kernel, name)

    def wq_of(self, hbus: HvPciBus) -> WorkQueue:
        """The bus's queue; C dereferences NULL once hv_pci_remove() has dropped it."""
        if hbus.wq is None:
            raise NullDereference("hbus->wq is NULL")
        return hbus.wq

    def bus_of(self, bus: PciBus) -> HvPciBus:
        """The driver's bus behind the PCI core's (``bus->sysdata``)."""
        hbus: HvPciBus = bus.sysdata
        return hbus

    async def queue_work(self, hbus: HvPciBus, work: Work) -> None:
        """queue_work() on the bus's queue."""
        await self.wq_of(hbus).queue(work)

    def pci_lock_rescan_remove(self) -> Awaitable[None]:
        """The PCI core's one lock against adding and removing devices at the same time."""
        return self.pci.lock_rescan_remove()

    def pci_unlock_rescan_remove(self) -> Awaitable[None]:
        """Release :meth:`pci_lock_rescan_remove`."""
        return self.pci.unlock_rescan_remove()
