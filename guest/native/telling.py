# SPDX-License-Identifier: MIT
"""The real driver's events: each kind by its number on the C side, and how its fields come across.

Whoever reads a trace cannot tell by them which guest was there. Knows no function of the driver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, get_type_hints

from guest import events
from guest.kernel import cpu_events, irq_events
from guest.native.library import CPUS_MAX
from guest.pci_core import events as pci_events

if TYPE_CHECKING:
    from guest.native.library import Note

WORD_END: Final = "\t"

# The order of ``enum vx_event`` in shim/telling.h.
TOLD: Final[tuple[type[events.GuestEvent], ...]] = (
    events.FunctionReturned,
    events.CommandFailed,
    events.DriverRemoved,
    events.RescindFlagRaised,
    events.BusStateChanged,
    events.RootBusRemovalBegan,
    events.VersionNegotiated,
    events.DomainChosen,
    events.DomainFreed,
    events.RequestCompleted,
    events.PacketDropped,
    events.RelationsQueued,
    events.RelationsProcessed,
    events.ChildAdded,
    events.ChildRemoved,
    events.ChildFreed,
    events.EjectQueued,
    events.EjectCompleted,
    events.MessageIgnored,
    events.D0Entered,
    events.D0Left,
    events.ResourcesAssigned,
    events.ResourcesReleased,
    events.BridgeWindowAllocated,
    events.ChildSlotCreated,
    events.ChildSlotDestroyed,
    events.MsiComposed,
    events.MsiNotComposed,
    events.MsiFreed,
    events.MsiRetargeted,
    events.BlockInvalidated,
    pci_events.PciDevAdded,
    pci_events.PciDevRemoved,
    pci_events.DriverBound,
    pci_events.DriverProbeFailed,
    pci_events.DriverUnbound,
    pci_events.BarAssigned,
    irq_events.VectorAllocated,
    irq_events.InterruptRequested,
    irq_events.InterruptFreed,
    irq_events.InterruptHandled,
    irq_events.InterruptSpurious,
    irq_events.InterruptShutDown,
    events.ProcessesFrozen,
    events.MachinePoweredOff,
    events.MachinePoweredOn,
    cpu_events.CpuDying,
    cpu_events.CpuOffline,
    cpu_events.CpuOnline,
    events.UnloadAwaited,
    events.UnloadEnded,
)

_BY_MACHINE: Final = "sim/machine.py tells it, whichever kernel runs"
_ARM64: Final = "of arm64, for which the real driver is not built"

# What the C side does not tell, and why not.
NOT_TOLD: Final[Mapping[type[events.GuestEvent], str]] = MappingProxyType(
    {
        pci_events.DmaConfigured: "on x86 there is nobody to ask: the host bridge has no ACPI node",
        irq_events.VectorFreed: "irq_matrix_free() does not know whose vector it was",
        irq_events.SpisAllocated: _ARM64,
        irq_events.SpiFreed: _ARM64,
        irq_events.SpiRouted: _ARM64,
        events.KernelCrashed: _BY_MACHINE,
        events.KernelBooted: _BY_MACHINE,
    }
)

Reader = Callable[[Iterator[int]], object]


def _signed(numbers: Iterator[int]) -> int:
    number = next(numbers)
    return number - (1 << 64) if number >> 63 else number


def _truth(numbers: Iterator[int]) -> bool:
    return bool(next(numbers))


def _cpus(numbers: Iterator[int]) -> tuple[int, ...]:
    mask = sum(next(numbers) << bit for bit in range(0, CPUS_MAX, 64))
    return tuple(cpu for cpu in range(mask.bit_length()) if mask >> cpu & 1)


_READERS: Final[Mapping[object, Reader]] = {bool: _truth, tuple[int, ...]: _cpus}


@lru_cache(maxsize=len(TOLD))
def _readers(kind: type[events.GuestEvent]) -> tuple[Reader | None, ...]:
    """How each field is read: from the next numbers, or (None) from the next word."""
    hints = get_type_hints(kind)
    types = (hints[name] for name in kind.__struct_fields__)
    return tuple(None if each is str else _READERS.get(each, _signed) for each in types)


def event_of(note: Note) -> events.GuestEvent:
    """The event that a note of kind HAPPENED tells."""
    kind = TOLD[note.a]
    words: Iterator[str] = iter(note.fields.words.decode(errors="replace").split(WORD_END))
    numbers: Iterator[int] = iter(note.fields.numbers)
    fields: list[Any] = [next(words) if read is None else read(numbers) for read in _readers(kind)]
    event: events.GuestEvent = kind(*fields)
    return event
