# SPDX-License-Identifier: MIT
"""A plain register file behind PciOps, plain memory behind MMIO, and an MSI domain that answers."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any

from guest.kernel.context import Context, Kind
from guest.kernel.dpm import Hold
from guest.kernel.irq import IrqData
from guest.kernel.irq_apic import ApicDomain
from guest.kernel.irq_chip import MsiMsg
from guest.kernel.irq_core import IrqCore
from guest.kernel.irq_parent import MakeParent
from guest.kernel.kernel import Kernel
from guest.kernel.pages import PhysicalMemory
from guest.kernel.resource import IORESOURCE_MEM, IORESOURCE_WINDOW, Resource
from guest.pci_core.msi_regs import pci_msi_mask_irq, pci_msi_unmask_irq
from guest.pci_core.subsystem import PciSubsystem
from guest.pci_core.types import PciBus
from protocol.hypercall import HypercallResult
from protocol.ids import Devfn, VpIndex
from sim.choices import Chooser
from sim.engine import Engine
from tests.ports import X86Port

LOW_WINDOW = 0xF800_0000
HIGH_WINDOW = 0x10_0000_0000
Access = tuple[str, int, int, int]  # "r" or "w", where, size, value


class RegisterFile:
    """Configuration space of one function: bytes, and per dword the bits that may be written."""

    def __init__(self, vendor: int = 0x144D, device: int = 0xA80A, header: int = 0) -> None:
        self.data = bytearray(4096)
        self.writable: dict[int, int] = {0x04: 0x0000_0547}
        self.put(0x00, 2, vendor)
        self.put(0x02, 2, device)
        self.put(0x08, 4, 0x0108_0200)
        self.put(0x0E, 1, header)
        self.put(0x2C, 4, 0xA801_144D)
        self._last_cap = 0x34

    def put(self, where: int, size: int, value: int) -> None:
        self.data[where : where + size] = value.to_bytes(size, "little")

    def get(self, where: int, size: int) -> int:
        return int.from_bytes(self.data[where : where + size], "little")

    def bar(self, index: int, size: int, *, wide: bool = False, prefetch: bool = False) -> None:
        """A memory BAR of ``size`` bytes."""
        where = 0x10 + 4 * index
        self.put(where, 4, (4 if wide else 0) | (8 if prefetch else 0))
        mask = -size & 0xFFFF_FFFF_FFFF_FFFF
        self.writable[where] = mask & 0xFFFF_FFF0
        if wide:
            self.writable[where + 4] = mask >> 32

    def capability(self, id_: int, where: int) -> None:
        """Append to the list; the body is the caller's."""
        self.put(0x06, 2, self.get(0x06, 2) | 0x10)
        at = self._last_cap if self._last_cap == 0x34 else self._last_cap + 1
        self.put(at, 1, where)
        self.put(where, 1, id_)
        self._last_cap = where

    def write(self, where: int, size: int, value: int) -> None:
        for offset in range(size):
            dword, shift = (where + offset) & ~3, 8 * ((where + offset) & 3)
            mask = self.writable.get(dword, 0) >> shift & 0xFF
            byte = value >> 8 * offset & 0xFF
            old = self.data[where + offset]
            self.data[where + offset] = old & ~mask | byte & mask


class FakeOps:
    """PciOps over register files by devfn; ``log`` holds every access to a function present."""

    def __init__(self) -> None:
        self.functions: dict[int, RegisterFile] = {}
        self.log: list[Access] = []
        self.empty_reads: list[int] = []

    def next_slot(self, bus: PciBus, devfn: int) -> int:
        assert bus.ops is self
        return devfn

    async def read(self, bus: PciBus, devfn: Devfn, where: int, size: int) -> tuple[int, int]:
        assert bus.ops is self
        function = self.functions.get(devfn)
        if function is None:
            self.empty_reads.append(devfn)
            return 0x86, (1 << 8 * size) - 1
        value = function.get(where, size)
        self.log.append(("r", where, size, value))
        return 0, value

    async def write(self, bus: PciBus, devfn: Devfn, where: int, size: int, value: int) -> int:
        assert bus.ops is self
        self.log.append(("w", where, size, value))
        self.functions[devfn].write(where, size, value)
        return 0

    def command_writes(self) -> list[int]:
        return [value for kind, where, _, value in self.log if kind == "w" and where == 0x04]


class FakePort(X86Port):
    """HostPort: MMIO is memory in dwords, all ones where nothing was written."""

    def __init__(self) -> None:
        self.memory: dict[int, int] = {}
        self.log: list[tuple[str, int, int]] = []

    def hypercall(self, vp: VpIndex, control: int, data: bytes) -> HypercallResult:
        raise AssertionError(f"unexpected hypercall {control:#x} from VP {vp} with {data!r}")

    def power_off(self) -> None:
        raise AssertionError("nobody switches this machine off")

    def take_read_hold(self) -> int:
        return 0

    def mmio_read(self, gpa: int, size: int) -> int:
        value = self.memory.get(gpa, (1 << 8 * size) - 1)
        self.log.append(("r", gpa, value))
        return value

    def mmio_write(self, gpa: int, size: int, value: int) -> int:
        assert size == 4
        self.log.append(("w", gpa, value))
        self.memory[gpa] = value
        return 0


class FakeMsi:
    """MSI domain: the address names the CPU, the data the vector. ``log`` tells the calls."""

    name = "fake MSI"

    def __init__(self) -> None:
        self.log: list[tuple[str, int, int, int]] = []  # (call, irq, cpu mask, vector)
        self.irqs: IrqCore | None = None

    async def compose_msi_msg(self, data: IrqData) -> MsiMsg:
        self._note("compose", data)
        assert data.msi_desc is not None
        return MsiMsg(0xFEE0_0000 | data.effective_affinity << 12, 0, data.vector)

    async def irq_mask(self, data: IrqData) -> None:
        self._note("mask", data)
        await pci_msi_mask_irq(data)

    async def irq_unmask(self, data: IrqData) -> None:
        self._note("unmask", data)
        await pci_msi_unmask_irq(data)

    def irq_retrigger(self, data: IrqData) -> bool:
        self._note("retrigger", data)
        if self.irqs is None:
            return False
        self.irqs.vectors.retrigger(data)
        return True

    async def msi_free(self, data: IrqData) -> None:
        self._note("free", data)

    def _note(self, call: str, data: IrqData) -> None:
        self.log.append((call, data.irq, data.effective_affinity, data.vector))


class Rig:
    """A kernel with a PCI core, one bridge over fakes, and something to run coroutines on it."""

    def __init__(
        self,
        cpus: int = 2,
        nodes: Sequence[int] | None = None,
        chooser: Chooser | None = None,
        low_bytes: int = 64 << 20,
        high_bytes: int = 512 << 30,
        port: FakePort | None = None,
        parent: MakeParent = ApicDomain,
    ) -> None:
        self.engine = Engine(chooser)
        self.port = port or FakePort()
        self.events: list[object] = []
        self.kernel = Kernel(
            port=self.port,
            scheduler=self.engine,
            vp_numbers=range(cpus),
            emit=self.events.append,
            memory=PhysicalMemory(),
        )
        self.engine.attach(self.kernel)
        self.pci = PciSubsystem(self.kernel, nodes, parent=parent)
        self.ops = FakeOps()
        self.msi = FakeMsi()
        self.msi.irqs = self.pci.irqs
        self.windows = [window(LOW_WINDOW, low_bytes), window(HIGH_WINDOW, high_bytes)]
        self.parents = 0  # how often the device below which the bridge is is held
        self.parent = Hold(self._hold, self._let_go)
        self.bridge = self.pci.alloc_host_bridge(
            self.ops, 0x1234, self.windows, None, self.msi, self.parent
        )

    def _hold(self) -> None:
        self.parents += 1

    async def _let_go(self) -> None:
        self.parents -= 1

    @property
    def vectors(self) -> ApicDomain:
        """The domain of x86's vectors."""
        assert isinstance(self.pci.irqs.vectors, ApicDomain)
        return self.pci.irqs.vectors

    def run(self, *bodies: Coroutine[Any, Any, Any], cpu: int = 0) -> Any:
        """Run thread contexts to their end; the first one's return value."""
        results: list[Any] = []

        async def first() -> None:
            results.append(await bodies[0])

        for index, body in enumerate((first(), *bodies[1:])):
            context = Context(f"test {index}", Kind.THREAD, self.kernel.online_cpu(cpu), body)
            self.engine.start(context)
        self.engine.run()
        return results[0] if results else None

    def bring_up(self) -> PciBus:
        """Scan, assign, add: what a bridge driver does."""

        async def body() -> None:
            assert await self.pci.scan_root_bus_bridge(self.bridge) == 0
            assert self.bridge.bus is not None
            await self.pci.lock_rescan_remove()
            await self.pci.bus_assign_resources(self.bridge.bus)
            await self.pci.bus_add_devices(self.bridge.bus)
            await self.pci.unlock_rescan_remove()

        self.run(body())
        assert self.bridge.bus is not None
        return self.bridge.bus

    def tear_down(self) -> None:
        """Stop and remove the root bus."""

        async def body() -> None:
            assert self.bridge.bus is not None
            await self.pci.lock_rescan_remove()
            await self.pci.stop_root_bus(self.bridge.bus)
            await self.pci.remove_root_bus(self.bridge.bus)
            await self.pci.unlock_rescan_remove()

        self.run(body())

    def events_of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def window(start: int, size: int) -> Resource:
    return Resource(start, start + size - 1, IORESOURCE_MEM | IORESOURCE_WINDOW, "window")


def nvme(msix_entries: int = 9) -> RegisterFile:
    """One 64-bit BAR of 16 KiB, PCI Express, MSI-X table at 0x2000 of BAR 0."""
    function = RegisterFile()
    function.bar(0, 16 << 10, wide=True)
    function.capability(0x01, 0x40)
    function.put(0x42, 2, 0x0003)
    function.capability(0x10, 0x70)
    function.put(0x72, 2, 0x0002)
    function.capability(0x11, 0xB0)
    function.put(0xB2, 2, msix_entries - 1)
    function.writable[0xB0] = 0xC000_0000
    function.put(0xB4, 4, 0x2000)
    return function
