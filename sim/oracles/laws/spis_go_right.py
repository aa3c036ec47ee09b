# SPDX-License-Identifier: MIT
"""On arm64 a message is asked for with its interrupt's own SPI, which comes in where it was routed.

Nothing is aimed afterwards, so what the create message asks for must be right, and no hypercall has
a place here. A multi-MSI block asks for a number of its own (open item O25); that its interrupts
are lost is another law's.
"""

from __future__ import annotations

from typing import ClassVar

from guest.events import KernelCrashed, MachinePoweredOff, MsiComposed, MsiRetargeted
from guest.kernel.irq_events import SpiFreed, SpiRouted, SpisAllocated
from protocol.link import InterruptDelivered
from sim.oracles.law import AWAKE, Finding, Law, Sees, forget_all


class SpisGoRight(Law):
    """``spis`` are those of interrupts, ``vps`` the processor that each SPI was routed to."""

    name = "an SPI is asked for by its number and comes in where it was routed"
    kind = "lost-interrupt"

    def __init__(self) -> None:
        self._spis: dict[int, int] = {}  # by irq
        self._vps: dict[int, int] = {}  # by SPI

    def _allocated(self, event: SpisAllocated, *_: object) -> Finding:
        self._spis.update((event.irq + nth, event.spi + nth) for nth in range(event.count))
        return AWAKE

    def _freed(self, event: SpiFreed, *_: object) -> None:
        self._spis.pop(event.irq, None)

    def _routed(self, event: SpiRouted, *_: object) -> None:
        self._vps[event.spi] = event.vp

    def _composed(self, event: MsiComposed, *_: object) -> Finding:
        spi = self._spis.get(event.irq, event.vector)
        if event.vector_count != 1 or event.vector == spi:
            return None
        return f"irq {event.irq} has SPI {spi} and asked the host for {event.vector}"

    def _retargeted(self, event: MsiRetargeted, *_: object) -> Finding:
        return f"irq {event.irq} has an SPI and was aimed by hypercall"

    def _delivered(self, event: InterruptDelivered, *_: object) -> Finding:
        routed = self._vps.get(event.vector, event.vp)
        if event.vp == routed:
            return None
        return f"SPI {event.vector} was routed to VP {routed} and came in on VP {event.vp}"

    def _crashed(self, *_: object) -> None:
        forget_all(self._spis, self._vps)

    def _switched_off(self, *_: object) -> None:
        self._vps.clear()

    sees: ClassVar[Sees] = {KernelCrashed: _crashed, SpisAllocated: _allocated}
    sees_awake: ClassVar[Sees] = {
        MachinePoweredOff: _switched_off,
        SpiFreed: _freed,
        SpiRouted: _routed,
        MsiComposed: _composed,
        MsiRetargeted: _retargeted,
        InterruptDelivered: _delivered,
    }
