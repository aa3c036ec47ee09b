# SPDX-License-Identifier: MIT
"""The reference guest: kernel, VMBus, PCI core and the vPCI driver, put together and booted.

This is one of the two guests that stand behind the same small interface; whoever plays scenarios
does not know which one is there. Knows no host: only the port, the scheduler and an emitter.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any
from uuid import UUID

import msgspec

from guest.bus_shell import BusShell
from guest.drivers.interpreter import StepDriver
from guest.drivers.registry import DRIVERS, driver_for
from guest.drivers.steps import DriverOptions
from guest.hibernation import Hibernation
from guest.isolation import NONE, Isolation
from guest.kernel.context import Context
from guest.kernel.kernel import Kernel
from guest.kernel.leaks import unreachable
from guest.kernel.memory import is_dead
from guest.kernel.numa import NumaNodes
from guest.module import Module
from guest.parts import ARCHITECTURES, PARTS, Parts
from guest.pci_core.sysfs import SysfsDevice, devices, functions_seen
from guest.pci_core.types import PciDev
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.driver import HvPciDriver
from guest.seen import FunctionSeen
from guest.shell import Shell
from guest.vmbus.channel import HvDevice
from guest.vmbus.crash import hv_panic_vmbus_unload
from guest.vmbus.mmio import MMIO_RANGES, VmbusMmio
from guest.wiring import Wiring
from protocol.ids import Devfn, Vector, VpIndex
from protocol.versions import LINUX_VMBUS_VERSIONS, VPCI_DIALECTS


class FunctionChoice(msgspec.Struct, frozen=True):
    """Which function driver takes a function (None: the one that matches) and its options."""

    driver: str | None = None
    options: DriverOptions = DriverOptions()


DEFAULT_CHOICE = FunctionChoice()


class GuestConfig(msgspec.Struct, frozen=True):
    """What differs between guests. ``vp_numbers`` has one VP index per CPU.

    ``vpci_versions`` and ``vmbus_versions`` are offered in this order. MMIO ranges and the
    framebuffer are inclusive byte ranges. ``arch`` is one of ``guest.parts.ARCHITECTURES``;
    ``coherent_dma`` is what ACPI says of VMBus, None for nothing.
    """

    vp_numbers: tuple[int, ...]
    vpci_versions: tuple[int, ...]
    vmbus_versions: tuple[int, ...] = LINUX_VMBUS_VERSIONS
    mmio_ranges: tuple[tuple[int, int], ...] = MMIO_RANGES
    framebuffer: tuple[int, int] | None = None
    isolation: Isolation = NONE
    arch: str = "x86-64"
    coherent_dma: bool | None = None
    nodes: tuple[int, ...] = ()  # CPU mask of each NUMA node; empty means one node for all
    offline_nodes: tuple[int, ...] = ()  # those of them that the kernel does without
    functions: Mapping[tuple[UUID, int], FunctionChoice] = MappingProxyType({})  # by (bus, devfn)

    def numa(self) -> NumaNodes:
        """The nodes of this guest's kernel."""
        possible = len(self.nodes) or 1
        online = tuple(node for node in range(possible) if node not in self.offline_nodes)
        return NumaNodes(possible, online)


class ReferenceGuest:
    """One guest, made of ``parts``. ``boot()`` starts it; then the host's deliveries drive it.

    ``number`` counts the kernels that the machine boots, as :class:`Kernel` has it.
    """

    def __init__(
        self,
        config: GuestConfig,
        wiring: Wiring,
        *,
        number: int = 1,
        parts: Parts = PARTS,
    ) -> None:
        self.kernel = Kernel(
            **wiring._asdict(),
            vp_numbers=config.vp_numbers,
            numa=config.numa(),
            number=number,
        )
        arch = ARCHITECTURES[config.arch]
        mmio = VmbusMmio(self.kernel, config.mmio_ranges, config.framebuffer, arch.iomem)
        self.vmbus = parts.vmbus(
            self.kernel,
            versions=config.vmbus_versions,
            mmio=mmio,
            interrupts=parts.vmbus_interrupts,
            isolation=config.isolation,
            coherent_dma=config.coherent_dma,
        )
        self.pci = parts.pci(
            self.kernel, nodes=config.nodes or None, irqs=parts.irqs, parent=arch.vectors
        )
        self.hibernation = Hibernation(self.kernel, self.pci.irqs)
        self.module = Module(self.kernel, partial(self._new_driver, config, parts))
        self._functions = config.functions
        for table in DRIVERS.values():
            self.pci.register_driver(StepDriver(table, self.pci.irqs, self._claims(table.name)))
        self._cpu_of_vp = {cpu.vp: cpu.index for cpu in self.kernel.cpus}

    def _new_driver(self, config: GuestConfig, parts: Parts) -> HvPciDriver:
        return parts.driver(
            self.kernel,
            self.vmbus,
            self.pci,
            ARCHITECTURES[config.arch].policy(parts),
            versions=[VPCI_DIALECTS[version] for version in config.vpci_versions],
            use_calls=config.isolation.config_by_calls,
        )

    @property
    def driver(self) -> HvPciDriver:
        """The vPCI driver that is loaded, or will be."""
        return self.module.driver

    def _claims(self, driver: str) -> Callable[[PciDev], DriverOptions | None]:
        """What a function driver takes: what was chosen for the function, else its own kind."""

        def claims(dev: PciDev) -> DriverOptions | None:
            hbus: HvPciBus = dev.bus.sysdata
            choice = self._functions.get((hbus.hdev.dev_instance, dev.devfn), DEFAULT_CHOICE)
            wanted = choice.driver or driver_for(dev.vendor, dev.class_code).name
            return choice.options if wanted == driver else None

        return claims

    # --- what the host delivers ---

    def synic_message(self, vp: VpIndex, message: bytes) -> None:
        """A control message for SINT 2."""
        self.vmbus.synic_message(vp, message)

    def synic_event(self, vp: VpIndex, flag: int) -> None:
        """A channel's event flag."""
        self.vmbus.synic_event(vp, flag)

    def deliver_vector(self, vp: VpIndex, vector: Vector) -> None:
        """A device interrupt."""
        self.pci.irqs.deliver_vector(self._cpu_of_vp[vp], vector)

    # --- the machine ---

    def boot(self) -> Context:
        """Load the bus and the driver; ends when the offers have been asked for."""
        return self.kernel.spawn_thread("hv_acpi_init", self._boot())

    async def _boot(self) -> None:
        if await self.vmbus.connect() == 0:
            await self.module.load()
            await self.vmbus.request_offers()

    def shell(self) -> Shell:
        """Somebody logged in."""
        return Shell(self)

    def bus_shell(self) -> BusShell:
        """The same somebody, who decides which driver a bus has."""
        return BusShell(self)

    def crash_path(self) -> Coroutine[Any, Any, None]:
        """What the kernel still does on its way down."""
        return hv_panic_vmbus_unload(self.vmbus)

    def devices(self) -> list[SysfsDevice]:
        """Every PCI function, by address."""
        return devices(self.pci)

    async def functions_seen(self) -> list[FunctionSeen]:
        """What ``lspci`` reads."""
        return await functions_seen(self.pci)

    def device(self, instance: UUID) -> HvDevice | None:
        """The VMBus device with that instance id, if it is on the bus."""
        channel = self.vmbus.primary_channels.get((self.driver.interface, instance))
        return channel.device_obj if channel is not None else None

    def function(self, instance: UUID, devfn: Devfn) -> PciDev | None:
        """The function's pci_dev, if the PCI core has one."""
        hdev = self.device(instance)
        if hdev is None or hdev.driver is None or hdev.drvdata is None or is_dead(hdev.drvdata):
            return None
        bridge = hdev.drvdata.bridge
        return self.pci.devices.get((bridge.domain_nr, bridge.busnr, devfn))

    # --- what is left at the end ---

    def lost(self, keepers: Sequence[object], held_relids: Collection[int]) -> dict[str, int]:
        """How much is left that nothing needs, by kind; ``keepers`` hold some from outside.

        ``held_relids`` are those that the host waits to have back, or has on offer.
        """
        relids = len(set(held_relids) - self.relids_in_use())
        return {**self.unreachable(keepers), **self.held_for_nothing(), "relid": relids}

    def unreachable(self, keepers: Sequence[object] = ()) -> dict[str, int]:
        """Objects that nobody can reach any more, by class; ``keepers`` hold some from outside."""
        kernel = self.kernel
        outside = (kernel.port, kernel.scheduler, kernel.emit)
        return unreachable(kernel.heap, (self.vmbus, self.pci, self.driver, *keepers), outside)

    def relids_in_use(self) -> set[int]:
        """Those of channels that live and are not rescinded, or that no channel may have."""
        mapped = self.vmbus.channels.items()
        alive = {relid for relid, channel in mapped if not (is_dead(channel) or channel.rescind)}
        return alive | self.vmbus.refused_relids

    def held_for_nothing(self) -> dict[str, int]:
        """Numbered things that are taken and that no living bus or channel accounts for."""
        listed = self.vmbus.primary_channels.values()
        channels = [channel for channel in listed if not is_dead(channel)]
        devices = [channel.device_obj for channel in channels if not is_dead(channel.device_obj)]
        bound = [dev.drvdata for dev in devices if dev is not None and dev.driver is not None]
        buses = [hbus for hbus in bound if not is_dead(hbus)]
        windows = sum(
            window is not None
            for hbus in buses
            for window in (hbus.mem_config, hbus.low_mmio_res, hbus.high_mmio_res)
        )
        slots = {id(child.pci_slot) for hbus in buses for child in hbus.children if child.pci_slot}
        rings = sum(channel.ring_pages > 0 for channel in channels)
        return {
            "MMIO range": self.vmbus.mmio.taken - windows,
            "PCI domain": self.driver.domains.taken - len(buses),
            "SPI": self.pci.irqs.vectors.lost(len(self.pci.irqs.descs)),
            "PCI slot": len(self.pci.slot_names) - len(slots),
            "block of pages": self.kernel.memory.blocks - self.vmbus.pages_of_its_own - rings,
            "request id": sum(
                requestor.in_use
                for requestor in (channel.requestor for channel in channels)
                if requestor is not None and not is_dead(requestor)
            ),
        }
