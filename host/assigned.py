# SPDX-License-Identifier: MIT
"""A function as the partition holds it: its BARs in the address map, its interrupts on their way.

Turns what an access set off in the device into mapped regions, held time and delivered vectors.
Knows no message and no slot page.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import msgspec

from host.address_map import AddressMap, Read, Write
from host.clock import Clock
from host.deferral import ReadHold
from host.events import (
    BarsMapped,
    BarsUnmapped,
    InterruptDropped,
    InterruptHeld,
    InterruptRaised,
)
from host.function import BarsMapped as WindowsMapped
from host.function import BarsUnmapped as WindowsUnmapped
from host.function import BarWindow, Function, FunctionEffect, InterruptsReleased, WorkCompleted
from host.hypervisor import Hypervisor
from host.interrupts import InterruptController
from host.settings import WindowNs
from protocol.ids import SlotNumber
from protocol.link import BarRead, BarWritten
from protocol.pci_regs import BAR_COUNT, PCI_BASE_ADDRESS_0, PCI_COMMAND, PCI_COMMAND_MEMORY

GIB_SHIFT: Final = 30

Bars = tuple[int, int, int, int, int, int]


class Surroundings(msgspec.Struct, frozen=True):
    """What every bus and function of a partition shares.

    ``addresses`` are where BARs answer, ``windows`` where configuration windows do;
    ``read_hold`` is how long a read holds its VP; ``framebuffer`` is where the VM has one, both
    ends included.
    """

    addresses: AddressMap
    windows: AddressMap
    hypervisor: Hypervisor
    clock: Clock
    interrupts: InterruptController
    emit: Callable[[object], None]
    latency_ns: Mapping[str, WindowNs]
    read_hold: ReadHold
    framebuffer: tuple[int, int] | None = None


class AssignedFunction:
    """One live function of a bus. ``read(offset, size)`` reads configuration space."""

    __slots__ = (
        "_around",
        "_bus",
        "_interrupt_label",
        "_mapped",
        "_work_label",
        "_wslot",
        "device_id",
        "function",
        "live",
        "read",
    )

    def __init__(
        self,
        around: Surroundings,
        function: Function,
        *,
        bus: str,
        wslot: SlotNumber,
        device_id: int,
    ) -> None:
        self._around = around
        self._bus = bus
        self._wslot = wslot
        self._interrupt_label = f"interrupt {bus}"
        self._work_label = f"work {bus}"
        self._mapped: tuple[int, ...] = ()  # start of each region that is ours
        self.device_id = device_id
        self.function = function
        self.live = True
        self.read = function.read
        around.hypervisor.add_device(device_id)

    def release(self) -> None:
        """Take it from the guest: nothing answers, nothing interrupts, its entries are gone."""
        self._unmap()
        self.live = False
        self._around.hypervisor.remove_device(self.device_id)

    # Registers

    def write(self, offset: int, size: int, value: int) -> int:
        """Write configuration space; nanoseconds the VP is held."""
        effect = self.function.write(offset, size, value)
        return 0 if effect is None else _APPLY[type(effect)](self, effect)

    def bars(self) -> Bars:
        """Read the six base registers."""
        b = [self.read(PCI_BASE_ADDRESS_0 + 4 * index, 4) for index in range(BAR_COUNT)]
        return b[0], b[1], b[2], b[3], b[4], b[5]

    def set_bars(self, bars: Bars) -> None:
        """Write the six base registers; a function that decodes ignores it."""
        for index, value in enumerate(bars):
            self.write(PCI_BASE_ADDRESS_0 + 4 * index, 4, value)

    def set_memory_decoding(self, *, enabled: bool) -> None:
        """Turn the Command register's memory bit on or off."""
        command = self.read(PCI_COMMAND, 2) & ~PCI_COMMAND_MEMORY
        self.write(PCI_COMMAND, 2, command | (PCI_COMMAND_MEMORY if enabled else 0))

    def reset(self) -> None:
        """Function-level reset from outside; no VP is held for it."""
        effect = self.function.reset()
        if effect is not None:
            _APPLY[type(effect)](self, effect)

    # Interrupts

    def raise_interrupt(self, index: int) -> None:
        """The device raises its vector ``index``."""
        if not self.live:
            return
        around = self._around
        message = self.function.raise_interrupt(index)
        if message is None:
            around.emit(InterruptHeld(self._bus, self._wslot, index))
            return
        target = around.hypervisor.deliver(self.device_id, *message)
        if target is None:
            around.emit(InterruptDropped(self._bus, self._wslot, index, *message))
            return
        around.emit(InterruptRaised(self._bus, self._wslot, index, *message))
        around.clock.later(
            around.latency_ns["interrupt"],
            self._interrupt_label,
            partial(around.interrupts.arrive, *target),
        )

    # What an access set off, by the effect's class (see ``_APPLY``)

    def apply_mapped(self, effect: WindowsMapped) -> int:
        held_ns = self._held_ns("bar_map_per_gib", effect.windows)
        claimed = []
        for window in effect.windows:
            read, write = self._bar_access(window.bar)
            # Model: of two overlapping windows the first keeps answering.
            if self._around.addresses.claim_region(window.base, window.size_bytes, read, write):
                claimed.append(window.base)
        self._mapped = tuple(claimed)
        bars = tuple(window.bar for window in effect.windows)
        self._around.emit(BarsMapped(self._bus, self._wslot, bars, held_ns))
        return held_ns

    def apply_unmapped(self, effect: WindowsUnmapped) -> int:
        held_ns = self._held_ns("bar_unmap_per_gib", effect.windows)
        self._unmap()
        bars = tuple(window.bar for window in effect.windows)
        self._around.emit(BarsUnmapped(self._bus, self._wslot, bars, held_ns))
        return held_ns

    def apply_completed(self, effect: WorkCompleted) -> int:
        around = self._around
        action = partial(self.raise_interrupt, effect.vector)
        around.clock.later(around.latency_ns["work"], self._work_label, action)
        return 0

    def apply_released(self, effect: InterruptsReleased) -> int:
        for index in effect.vectors:
            self.raise_interrupt(index)
        return 0

    def _unmap(self) -> None:
        for start in self._mapped:
            self._around.addresses.release_region(start)
        self._mapped = ()

    def _held_ns(self, what: str, windows: tuple[BarWindow, ...]) -> int:
        total_bytes = sum(window.size_bytes for window in windows)
        return total_bytes * self._around.latency_ns[what][0] >> GIB_SHIFT

    # BAR memory

    def _bar_access(self, bar: int) -> tuple[Read, Write]:
        """What answers in a mapped BAR; closures, as a driver rings its doorbells all the time."""
        bus, wslot, emit = self._bus, self._wslot, self._around.emit
        bar_read, bar_write = self.function.bar_read, self.function.bar_write

        def read(offset: int, size: int) -> int:
            value = bar_read(bar, offset, size)
            emit(BarRead(bus, wslot, bar, offset, size, value))
            return value

        def write(offset: int, size: int, value: int) -> int:
            emit(BarWritten(bus, wslot, bar, offset, size, value))
            effect = bar_write(bar, offset, size, value)
            return 0 if effect is None else _APPLY[type(effect)](self, effect)

        return read, write


_APPLY: Final[dict[type[FunctionEffect], Callable[[AssignedFunction, Any], int]]] = {
    WindowsMapped: AssignedFunction.apply_mapped,
    WindowsUnmapped: AssignedFunction.apply_unmapped,
    WorkCompleted: AssignedFunction.apply_completed,
    InterruptsReleased: AssignedFunction.apply_released,
}
