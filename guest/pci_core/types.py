# SPDX-License-Identifier: MIT
"""The objects of the PCI core. Data only: no behaviour, no host, no driver.

Those that can be used after free in a real kernel (device, bus, slot, MSI descriptor) come from
the kernel's heap.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from guest.kernel.cpu import NUMA_NO_NODE
from guest.kernel.irq_chip import NULL_MSI_MSG
from guest.kernel.lists import ListHead, ListNode
from guest.kernel.memory import Allocated, RefCount
from guest.kernel.resource import Resource
from guest.kernel.sync import Mutex
from protocol.ids import Devfn

if TYPE_CHECKING:
    from guest.kernel.dpm import Hold
    from guest.kernel.irq import IrqAffinity, IrqData
    from guest.kernel.irq_chip import MsiController
    from guest.kernel.irq_core import IrqCore
    from guest.kernel.kernel import Kernel
    from guest.pci_core.ports import BlockOps, FunctionDriver, PciOps

PCIBIOS_SUCCESSFUL = 0x00
PCIBIOS_DEVICE_NOT_FOUND = 0x86

PCI_STD_NUM_BARS = 6
PCI_ROM_RESOURCE = 6
PCI_D0 = 0
PCI_UNKNOWN = 5
MULTI_CAP_MAX = 5  # 32 messages; the two encodings above are reserved, and masked as 32

BlockInvalidate = Callable[[object, int], Awaitable[None]]  # (context, block mask)


class PciState:
    """What the PCI core has one of: locks, the device index, drivers and slot names.

    ``irqs`` is the kernel's interrupt core, and set by who knows of which kind that is.

    Model: Linux looks devices and buses up by walking lists; the dictionaries here give the same
    answers. pci_bus_sem is left out, since nothing suspends while one of the lists changes.
    """

    irqs: IrqCore

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.rescan_remove_lock = Mutex(kernel, "pci_rescan_remove_lock")
        self.slot_mutex = Mutex(kernel, "pci_slot_mutex")
        self.buses: dict[tuple[int, int], PciBus] = {}  # by (domain, bus number)
        self.devices: dict[tuple[int, int, int], PciDev] = {}  # by (domain, bus number, devfn)
        self.drivers: list[FunctionDriver] = []
        self.slot_names: dict[str, PciSlot] = {}
        self.block_ops: BlockOps | None = None  # hvpci_block_ops, set by the bridge driver


class PciHostBridge:
    """struct pci_host_bridge.

    Model: never freed. In Linux devres holds it until its VMBus device is unbound or the probe has
    failed, and its bus holds it too; what still uses it after both have gone is not seen here.

    ``coherent_dma`` is what the ACPI companion says; None where the bridge has none. ``parent`` is
    the device below which the bridge is registered.
    """

    __slots__ = ("bus", "busnr", "coherent_dma", "domain_nr", "msi", "ops", "parent", "pci",
                 "sysdata", "windows")  # fmt: skip

    def __init__(
        self,
        pci: PciState,
        *,
        ops: PciOps,
        domain_nr: int,
        windows: list[Resource],
        sysdata: object,
        msi: MsiController,
        parent: Hold,
    ) -> None:
        self.pci = pci
        self.ops = ops
        self.domain_nr = domain_nr
        self.busnr = 0
        self.windows = windows
        self.sysdata = sysdata
        self.msi = msi
        self.parent = parent
        self.coherent_dma: bool | None = None
        self.bus: PciBus | None = None


class PciBus(Allocated):
    """struct pci_bus: a root bus; vPCI has no bridges below it."""

    __slots__ = (
        "bridge",
        "devices",
        "domain_nr",
        "is_added",
        "kernel",
        "name",
        "number",
        "ops",
        "pci",
        "refs",
        "resources",
        "slots",
        "sysdata",
    )

    def __init__(self, bridge: PciHostBridge) -> None:
        self.bridge = bridge
        self.pci = bridge.pci
        self.kernel: Kernel = bridge.pci.kernel
        self.number = bridge.busnr
        self.domain_nr = bridge.domain_nr
        self.name = f"{bridge.domain_nr:04x}:{bridge.busnr:02x}"
        self.ops = bridge.ops
        self.sysdata: Any = bridge.sysdata  # belongs to the bridge driver
        self.resources: list[Resource] = []
        self.devices: ListHead[PciDev] = ListHead("pci_bus.devices")
        self.slots: ListHead[PciSlot] = ListHead("pci_bus.slots")
        self.is_added = False
        self.refs = RefCount(1)


class PciSlot(Allocated):
    """struct pci_slot: a physical slot in sysfs, shared by everyone who names its number."""

    __slots__ = ("bus", "list_entry", "name", "number", "refs")
    EMBEDDED = ("list_entry",)

    def __init__(self, bus: PciBus, number: int, name: str) -> None:
        self.bus = bus
        self.number = number
        self.name = name
        self.refs = RefCount(1)
        self.list_entry = ListNode(self)


class MsiDesc(Allocated):
    """struct msi_desc: one MSI-X entry, or the single one that stands for all of a device's MSIs.

    ``index`` is the MSI-X table index; ``multi_cap`` and ``multiple`` are log2 of the messages the
    capability offers and of those it is granted (MSI); ``affinity`` holds one descriptor per
    vector, or is None.
    """

    __slots__ = (
        "affinity",
        "can_mask",
        "default_irq",
        "index",
        "irq",
        "is_64",
        "is_msix",
        "mask_pos",
        "msg",
        "msi_mask",
        "msix_ctrl",
        "multi_cap",
        "multiple",
        "nvec_used",
        "pci_dev",
    )

    def __init__(self, pci_dev: PciDev, index: int, nvec_used: int, is_msix: bool) -> None:
        self.pci_dev = pci_dev
        self.index = index
        self.nvec_used = nvec_used
        self.is_msix = is_msix
        self.irq = 0
        self.multi_cap = 0
        self.multiple = 0
        self.is_64 = is_msix
        self.can_mask = False
        self.mask_pos = 0
        self.msi_mask = 0
        self.msix_ctrl = 0
        self.default_irq = pci_dev.irq
        self.msg = NULL_MSI_MSG
        self.affinity: list[IrqAffinity] | None = None

    @property
    def multi_mask(self) -> int:
        """msi_multi_mask(): a bit per message the capability could be granted."""
        return (1 << (1 << min(self.multi_cap, MULTI_CAP_MAX))) - 1


def irq_data_get_msi_desc(data: IrqData) -> MsiDesc:
    """irq_data_get_msi_desc(): the descriptor behind an interrupt that the PCI core allocated."""
    desc = data.msi_desc
    assert isinstance(desc, MsiDesc), "an MSI has its descriptor before its first message"
    return desc


class PciDev(Allocated):
    """struct pci_dev with the parts of struct device that matter here.

    ``resource`` holds BARs 0-5 and the ROM. ``refs`` counts holders; the one of device_add is
    dropped when the device is destroyed.
    """

    __slots__ = (
        "bus",
        "cfg_size",
        "class_code",
        "coherent_dma",
        "current_state",
        "devfn",
        "device",
        "device_lock",
        "driver",
        "drvdata",
        "enable_cnt",
        "hdr_type",
        "irq",
        "is_added",
        "is_registered",
        "kernel",
        "list_entry",
        "match_driver",
        "msi_cap",
        "msi_descs",
        "msi_enabled",
        "msi_mutex",
        "msix_base",
        "msix_cap",
        "msix_enabled",
        "multifunction",
        "name",
        "numa_node",
        "pcie_cap",
        "pcie_flags",
        "pcie_mpss",
        "pin",
        "pm_cap",
        "pme_support",
        "refs",
        "resource",
        "revision",
        "rom_base_reg",
        "saved_config_space",
        "saved_pcie",
        "slot",
        "subsystem_device",
        "subsystem_vendor",
        "vendor",
    )
    EMBEDDED = ("list_entry", "device_lock", "msi_mutex")

    def __init__(self, bus: PciBus, devfn: Devfn, vendor: int, device: int) -> None:
        self.bus = bus
        self.kernel = bus.kernel
        self.devfn = devfn
        self.vendor = vendor
        self.device = device
        self.name = f"{bus.name}:{devfn >> 3:02x}.{devfn & 7}"
        self.refs = RefCount(1)
        self.list_entry = ListNode(self)
        self.device_lock = Mutex(bus.kernel, "device_lock")
        self.msi_mutex = Mutex(bus.kernel, "msi_lock_descs")
        self.subsystem_vendor = self.subsystem_device = 0
        self.class_code = self.revision = self.hdr_type = 0
        self.multifunction = False
        self.coherent_dma = True
        self.cfg_size = 0
        self.pcie_cap = self.pcie_flags = self.pcie_mpss = 0
        self.pme_support = 0
        self.pm_cap = self.msi_cap = self.msix_cap = 0
        self.pin = self.irq = 0
        self.resource = [Resource() for _ in range(PCI_ROM_RESOURCE + 1)]
        self.rom_base_reg = 0
        self.current_state = PCI_UNKNOWN
        self.enable_cnt = 0
        self.is_registered = False  # between device_add() and device_del()
        self.is_added = False
        self.match_driver = False
        self.slot: PciSlot | None = None
        self.numa_node = NUMA_NO_NODE
        self.driver: FunctionDriver | None = None
        self.drvdata: object = None
        self.msi_enabled = self.msix_enabled = False
        self.msix_base: int | None = None  # guest physical address of the MSI-X table
        self.msi_descs: dict[int, MsiDesc] = {}
        self.saved_config_space: tuple[int, ...] | None = None  # state_saved, with what is saved
        self.saved_pcie: tuple[int, ...] = ()
