# SPDX-License-Identifier: MIT
"""The vPCI guest driver, composed: ``struct hv_driver`` for VMBus, ``hvpci_block_ops`` for VFs.

All behaviour is in the classes it is made of; what it owns itself is what C keeps in static
variables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from guest.kernel.sync import SpinLock
from guest.pci_hyperv.blocks import HvPciBlockOps
from guest.pci_hyperv.config import HvPcifrontOps
from guest.pci_hyperv.domains import DomainMap
from guest.pci_hyperv.interrupts import HvMsiChip
from guest.pci_hyperv.negotiation import PCI_PROTOCOL_VERSIONS
from guest.pci_hyperv.power import Power

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from typing import Any

    from guest.kernel.kernel import Kernel
    from guest.pci_core.subsystem import PciSubsystem
    from guest.pci_hyperv.arch import ArchPolicy
    from guest.vmbus.channel import HvDevice
    from guest.vmbus.connection import VmbusConnection
    from protocol.versions import Dialect

HV_PCIE_GUID = UUID("44c4f61d-4444-4400-9d52-802e27ede19f")


class HvPciDriver(Power):
    """One loaded driver. ``versions`` are what it offers, highest first.

    ``use_calls``: configuration space by hypercalls, as confidential VMs do.
    """

    name = "hv_pci"
    interface = HV_PCIE_GUID

    def __init__(
        self,
        kernel: Kernel,
        vmbus: VmbusConnection,
        pci: PciSubsystem,
        arch: ArchPolicy,
        *,
        versions: Sequence[Dialect] = PCI_PROTOCOL_VERSIONS,
        use_calls: bool = False,
    ) -> None:
        super().__init__(kernel, vmbus, pci, arch)
        self.versions = tuple(versions)
        self.use_calls = use_calls
        self.domains = DomainMap()
        self.multi_msi_cpu_lock = SpinLock(kernel, "multi_msi_cpu_lock")
        self.multi_msi_cpu_next = -1
        self.pci_ops = HvPcifrontOps(self)
        self.msi_chip = HvMsiChip(self)

    async def init_hv_pci_drv(self) -> int:
        """The module's init: 0, or -EBUSY if VMBus has a driver of this name."""
        self.pci.block_ops = HvPciBlockOps(self)
        return await self.vmbus.register_driver(self)

    async def exit_hv_pci_drv(self) -> None:
        """The module's exit: every bus is let go, the newest first, as the core does."""
        await self.vmbus.unregister_driver(self)
        self.pci.block_ops = None

    def probe(self, hdev: HvDevice) -> Coroutine[Any, Any, int]:
        """``hv_driver.probe``."""
        return self.hv_pci_probe(hdev)

    def remove(self, hdev: HvDevice) -> Coroutine[Any, Any, None]:
        """``hv_driver.remove``."""
        return self.hv_pci_remove(hdev)

    def suspend(self, hdev: HvDevice) -> Coroutine[Any, Any, int]:
        """``hv_driver.suspend``."""
        return self.hv_pci_suspend(hdev)

    def resume(self, hdev: HvDevice) -> Coroutine[Any, Any, int]:
        """``hv_driver.resume``."""
        return self.hv_pci_resume(hdev)
