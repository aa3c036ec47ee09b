# SPDX-License-Identifier: MIT
"""The real driver as a guest: the same interface as the reference guest's, over a loaded library.

Knows no host and no scenario. Which kernel the library was built from, it does not ask.
"""

from __future__ import annotations

import ctypes as c
import struct
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from guest.kernel.context import Context
from guest.kernel.kernel import Kernel
from guest.kernel.pages import PhysicalMemory
from guest.native.contexts import Contexts, NativeContext
from guest.native.host_side import HostSide
from guest.native.library import FaultBits, Library, NoteKind, Request
from guest.native.processors import Processors
from guest.native.shell import Command, NativeBusShell, NativeShell, Verb
from guest.native.tables import NO_DRIVER, NOBODY, hand_in_choice, hand_in_drivers
from guest.native.telling import event_of
from guest.pci_core.events import DriverBound, DriverUnbound, PciDevAdded, PciDevRemoved
from guest.seen import FunctionSeen, Window
from guest.wiring import Wiring
from protocol.ids import RelId, TransactionId, Vector, VpIndex
from protocol.link import PacketPublished
from protocol.pci_regs import BAR_COUNT, CONFIG_BYTES

if TYPE_CHECKING:
    from guest.events import GuestEvent
    from guest.native.library import Note, Trap
    from guest.reference import GuestConfig


# The events that a guest keeps something of.
KEPT: Final = frozenset({PciDevAdded, PciDevRemoved, DriverBound, DriverUnbound})


class NativeMemory(PhysicalMemory):
    """The guest's memory, where an address is a guest-physical address."""

    def window(self, gpa: int, size_bytes: int) -> memoryview:
        """The bytes themselves, shared."""
        return memoryview((c.c_ubyte * size_bytes).from_address(gpa)).cast("B")


class NativeDevice(NamedTuple):
    """A PCI function, as the kernel's notifications tell of it; ``driver`` None while unbound."""

    address: str
    vendor: int
    device: int
    driver: str | None = None


class NativeGuest:
    """One guest. ``boot()`` starts it; then the host's deliveries drive it."""

    def __init__(self, library: Library, config: GuestConfig, wiring: Wiring) -> None:
        self.kernel = Kernel(**wiring._asdict(), vp_numbers=config.vp_numbers)
        self._library = library
        self._emit = wiring.emit
        self._processors = Processors(library, self.kernel)
        self._tellers: Mapping[NoteKind, Callable[[Note], None]] = {
            **{kind: partial(teller, self) for kind, teller in TELLERS.items()},
            **self._processors.tellers(),
        }
        self._contexts = Contexts(
            library, self.kernel, self._answer, self._told, self._processors.places
        )
        self._host = HostSide(library, self.kernel, self._contexts.entered)
        self._cpu_of_vp = {cpu.vp: cpu.index for cpu in self.kernel.cpus}
        self._devices: dict[str, NativeDevice] = {}
        self._seen: list[FunctionSeen] = []
        self._prepare(config)

    def _prepare(self, config: GuestConfig) -> None:
        call, shared = self._library.call, self._library.shared
        shared.cpus = len(config.vp_numbers)
        for cpu, vp in enumerate(config.vp_numbers):
            shared.vp_of_cpu[cpu] = vp
        numa = config.numa()
        call.vx_set_nodes(numa.possible, sum(1 << node for node in numa.online))
        for node, cpus in enumerate(config.nodes):
            for cpu in range(shared.cpus):
                if cpus >> cpu & 1:
                    call.vx_set_node_of_cpu(cpu, node)
        for start, end in config.mmio_ranges:
            call.vx_add_mmio_range(start, end)
        isolation = config.isolation
        call.vx_set_isolation(isolation.hardened_only, isolation.config_by_calls)
        if config.framebuffer is not None:
            call.vx_set_framebuffer(*config.framebuffer)
        drivers = hand_in_drivers(call)
        for (instance, devfn), choice in config.functions.items():
            driver = NO_DRIVER if choice.driver is None else drivers.get(choice.driver, NOBODY)
            hand_in_choice(call, instance, devfn, driver, choice.options)

    def boot(self) -> Context:
        """Start the kernel; its context."""
        self._allow_faults()
        self._library.call.vx_boot()
        self._contexts.entered()
        return self._contexts.last()

    async def command(self, command: Command) -> None:
        """Have a shell's command run as a thread on the current CPU, to its end."""
        self._library.call.vx_shell(
            command.verb.name.lower().encode(),
            self.kernel.current_cpu().index,
            command.verb,
            command.instance.bytes_le,
            command.devfn,
            command.a,
            command.b,
            command.text,
            len(command.text),
        )
        self._contexts.entered()
        await self.kernel.join(self._contexts.last())

    def shell(self) -> NativeShell:
        """Somebody logged in."""
        return NativeShell(self)

    def bus_shell(self) -> NativeBusShell:
        """The same somebody, who decides which driver a bus has."""
        return NativeBusShell(self)

    def crash_path(self) -> Coroutine[Any, Any, None]:
        """What the kernel still does on its way down."""
        return self._crash()

    async def _crash(self) -> None:
        self._library.call.vx_crash(self.kernel.current_cpu().index)
        self._contexts.entered()
        await self.kernel.join(self._contexts.last())

    def devices(self) -> list[NativeDevice]:
        """Every PCI function, by address."""
        return [device for _, device in sorted(self._devices.items())]

    async def functions_seen(self) -> list[FunctionSeen]:
        """What ``lspci`` reads."""
        self._seen.clear()
        await self.command(Command(Verb.LSPCI))
        return sorted(self._seen)

    def lost(self, _keepers: Sequence[object], held_relids: Collection[int]) -> dict[str, int]:
        """How much is left that nothing needs, by kind; a shell's open files are in the library."""
        return self._library.left(held_relids)

    # --- what the C side asks and tells ---

    def _allow_faults(self) -> None:
        """Have it ask about those that somebody may want."""
        allocations = self.kernel.fail_allocation is not None
        rings = self.kernel.ring_is_full is not None
        bits = FaultBits.ALLOCATIONS * allocations | FaultBits.RINGS * rings
        self._library.shared.faults = bits

    def _answer(self, context: NativeContext, trap: Trap) -> int:
        if trap.request == Request.ALLOCATION_FAILS:
            return self.kernel.allocation_fails(c.string_at(trap.a).decode())
        if trap.request == Request.RING_IS_FULL:
            full = self.kernel.ring_is_full
            return full is not None and full(c.string_at(trap.a, trap.b))
        if trap.request == Request.POWER_OFF:
            return self._processors.power_off()
        return self._host.answer(context, trap)

    def _told(self, note: Note) -> None:
        self._tellers[NoteKind(note.kind)](note)

    def published(self, note: Note) -> None:
        payload = bytes(note.text[: note.d])
        self._emit(
            PacketPublished(
                "guest-to-host",
                RelId(note.a),
                note.b & 0xFFFF,
                TransactionId(note.c),
                note.b >> 16,
                payload,
            )
        )

    def happened(self, note: Note) -> None:
        event = event_of(note)
        self._keep(event)
        self._emit(event)

    def _keep(self, event: GuestEvent) -> None:
        """What of it is to be asked for later: the devices."""
        if isinstance(event, PciDevAdded):
            device = NativeDevice(event.address, event.vendor, event.device)
            self._devices[event.address] = device
        elif isinstance(event, PciDevRemoved):
            self._devices.pop(event.address, None)
        elif isinstance(event, DriverBound):
            device = self._devices[event.address]
            self._devices[event.address] = device._replace(driver=event.driver)
        elif isinstance(event, DriverUnbound):
            self._devices[event.address] = self._devices[event.address]._replace(driver=None)

    def seen(self, note: Note) -> None:
        """A function as lspci reads it: six windows of three numbers, and all configuration."""
        numbers = struct.unpack_from(f"<{3 * BAR_COUNT}Q", bytes(note.text))
        windows = tuple(Window(*numbers[at : at + 3]) for at in range(0, len(numbers), 3))
        domain, bus, devfn = note.a >> 16, note.a >> 8 & 0xFF, note.a & 0xFF
        config = c.string_at(note.b, CONFIG_BYTES)
        self._seen.append(FunctionSeen(domain, bus, devfn, windows, config))

    def logged(self, note: Note) -> None:
        self.kernel.log("info", note.string())

    # --- what the host delivers ---

    def synic_message(self, vp: VpIndex, message: bytes) -> None:
        """A control message for SINT 2."""
        self._host.message(self._cpu_of_vp[vp], bytes(message))

    def synic_event(self, vp: VpIndex, flag: int) -> None:
        """A channel's event flag."""
        self._host.event(self._cpu_of_vp[vp], flag)

    def deliver_vector(self, vp: VpIndex, vector: Vector) -> None:
        """A device interrupt."""
        self._host.vector(self._cpu_of_vp[vp], vector)


TELLERS: Final = {
    NoteKind.LOG: NativeGuest.logged,
    NoteKind.PUBLISHED: NativeGuest.published,
    NoteKind.FUNCTION_SEEN: NativeGuest.seen,
    NoteKind.HAPPENED: NativeGuest.happened,
}
