# SPDX-License-Identifier: MIT
"""What a device raises is handled by the interrupt that its message was composed for.

Judged while a function driver has its vectors and gives none of them back. A message that reaches
no remapping entry is lost at once, and so is one that nobody composed for its function. One that
was delivered is lost if its own interrupt is not handled in the end, nor by the time when it is
freed long after. What a masked vector raises is pending in the device, and no loss.

Where composing has failed before, Linux unmasks the vector all the same, and what it raises then is
lost (open item O17). A multi-MSI block that a driver keeps across hibernation is not asked for
again, and what it raises afterwards is lost as well (O32).
"""

from __future__ import annotations

from typing import ClassVar, Final

from guest.events import (
    FunctionReturned,
    KernelCrashed,
    MsiComposed,
    MsiFreed,
    MsiNotComposed,
)
from guest.kernel.irq_events import (
    InterruptFreed,
    InterruptHandled,
    InterruptRequested,
    InterruptShutDown,
)
from host.events import ChannelOffered, InterruptDropped, InterruptRaised
from sim.oracles.law import Finding, Law, OpenItem, Sees, forget_all

# A CPU whose interrupts are off for longer than 20 s is stuck, and that is another violation.
PATIENCE_NS: Final = 30 * 10**9
NOWHERE: Final = ("", -1)

Place = tuple[str, int]  # bus, wslot


class InterruptsArrive(Law):
    """``irq_of`` finds the interrupt that a function's message was composed for; ``raised`` has the
    first raise of each requested interrupt that was not handled since."""

    name = "what a device raises is handled by its own interrupt"
    kind = "lost-interrupt"

    def __init__(self) -> None:
        self._bus_of_relid: dict[int, str] = {}
        self._irq_of: dict[tuple[Place, int, int], int] = {}
        self._place_of: dict[int, Place] = {}  # by irq
        self._failed: set[str] = set()  # buses on which composing has failed
        self._requested: dict[int, Place] = {}
        self._closing: set[Place] = set()  # their driver gives vectors back
        self._raised: dict[int, int] = {}
        self._blocks: set[Place] = set()  # functions with a multi-MSI block
        self._old_blocks: set[Place] = set()  # composed before the last suspend of their bus

    def _offered(self, event: ChannelOffered, *_: object) -> None:
        self._bus_of_relid[event.relid] = event.bus

    def _composed(self, event: MsiComposed, *_: object) -> None:
        place = self._bus_of_relid.get(event.relid, ""), event.wslot
        if event.vector_count > 1:
            self._blocks.add(place)
            self._old_blocks.discard(place)
        self._irq_of[place, event.address, event.data] = event.irq
        self._place_of[event.irq] = place

    def _not_composed(self, event: MsiNotComposed, *_: object) -> None:
        self._failed.add(self._bus_of_relid.get(event.relid, ""))

    def _mapping_freed(self, event: MsiFreed, *_: object) -> None:
        place = self._bus_of_relid.get(event.relid, ""), event.wslot
        self._irq_of.pop((place, event.address, event.data), None)

    def _returned(self, event: FunctionReturned, *_: object) -> None:
        if event.function == "hv_pci_suspend" and not event.errno:
            bus = self._bus_of_relid.get(event.relid, "")
            self._old_blocks |= {place for place in self._blocks if place[0] == bus}

    def _request(self, event: InterruptRequested, *_: object) -> None:
        place = self._place_of.get(event.irq, NOWHERE)
        self._requested[event.irq] = place
        self._closing.discard(place)

    def _free(self, event: InterruptFreed, at_ns: int, _context: object) -> Finding:
        self._closing.add(self._requested.pop(event.irq, NOWHERE))
        since_ns = self._raised.pop(event.irq, at_ns)
        if at_ns - since_ns < PATIENCE_NS:
            return None
        return f"irq {event.irq} was raised {_before(at_ns, since_ns)} before it was freed, in vain"

    def _shut_down(self, event: InterruptShutDown, *_: object) -> None:
        """Of a managed interrupt that goes with its CPU what is pending is not sent on: whoever
        uses it has waited for its commands before."""
        self._raised.pop(event.irq, None)

    def _handled(self, event: InterruptHandled, *_: object) -> None:
        self._raised.pop(event.irq, None)

    def _raise(self, event: InterruptRaised, at_ns: int, _context: object) -> Finding:
        place = event.bus, event.wslot
        irq = self._irq_of.get((place, event.address, event.data))
        if irq is None:
            return self._loss(event, "that nobody composed")
        if irq in self._requested:
            self._raised.setdefault(irq, at_ns)
        return None

    def _dropped(self, event: InterruptDropped, *_: object) -> Finding:
        return self._loss(event, "that reaches no remapping entry")

    def _loss(self, event: InterruptRaised | InterruptDropped, what: str) -> Finding:
        place = event.bus, event.wslot
        if place in self._closing or not self._at_work(place):
            return None
        message = f"message {event.address:#x}/{event.data:#x}"
        text = f"vector {event.index} of slot {event.wslot:#x} of {event.bus} sent {message} {what}"
        if place in self._old_blocks:
            return OpenItem("O32", text)
        return OpenItem("O17", text) if event.bus in self._failed else text

    def _at_work(self, place: Place) -> bool:
        """Whether the function's driver has requested vectors; of some the place is not known."""
        return any(owner in (place, NOWHERE) for owner in self._requested.values())

    def _crashed(self, *_: object) -> None:
        forget_all(
            self._irq_of, self._place_of, self._failed, self._requested, self._closing, self._raised
        )
        forget_all(self._blocks, self._old_blocks)

    def end(self, at_ns: int) -> Finding:
        """What is delivered has been handled by now."""
        for irq, since_ns in self._raised.items():
            return f"irq {irq} was raised {_before(at_ns, since_ns)} before the end, in vain"
        return None

    sees: ClassVar[Sees] = {
        KernelCrashed: _crashed,
        ChannelOffered: _offered,
        MsiComposed: _composed,
        MsiNotComposed: _not_composed,
        MsiFreed: _mapping_freed,
        FunctionReturned: _returned,
        InterruptRequested: _request,
        InterruptFreed: _free,
        InterruptHandled: _handled,
        InterruptShutDown: _shut_down,
        InterruptRaised: _raise,
        InterruptDropped: _dropped,
    }


def _before(at_ns: int, since_ns: int) -> str:
    return f"{(at_ns - since_ns) / 1e9:.6f} s"
