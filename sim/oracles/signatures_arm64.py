# SPDX-License-Identifier: MIT
"""How the open items of arm64 show: interrupts whose SPI the host was never asked for, or keeps.

Which item is about what is in ``guest/defects/open_items.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from guest.events import MachinePoweredOff, MsiComposed
from guest.kernel.irq_events import InterruptFreed, InterruptRequested, SpisAllocated
from protocol.link import PacketPublished
from protocol.vpci import MessageType, PciCreateInterrupt, PciCreateInterrupt2
from sim.oracles.known import Signature
from sim.oracles.law import Sees, to_host

ONE_BYTE: Final = 0xFF


class BlockOfDummies(Signature):
    """A multi-MSI block was asked for by a number that is none of its SPIs."""

    item = "O25"
    kinds = frozenset({"lost-interrupt"})

    def __init__(self) -> None:
        super().__init__()
        self._spis: dict[int, int] = {}  # by irq

    def _allocated(self, event: SpisAllocated, *_: object) -> None:
        self._spis.update((event.irq + nth, event.spi + nth) for nth in range(event.count))

    def _composed(self, event: MsiComposed, *_: object) -> None:
        differs = self._spis.get(event.irq, event.vector) != event.vector
        self.shown |= differs and event.vector_count != 1

    def crashed(self, *_: object) -> None:
        super().crashed()
        self._spis.clear()

    sees: ClassVar[Sees] = {SpisAllocated: _allocated, MsiComposed: _composed}


class CutSpi(Signature):
    """An interrupt was given an SPI above 255, and asked for what eight bits hold of it."""

    item = "O26"
    kinds = frozenset({"lost-interrupt"})

    def __init__(self) -> None:
        super().__init__()
        self._spis: dict[object, int] = {}  # the last one that somebody was given

    def _allocated(self, event: SpisAllocated, _at_ns: int, who: object) -> None:
        self._spis[who] = event.spi

    def _asked(self, vector: int, who: object) -> None:
        spi = self._spis.get(who, vector)
        self.shown |= vector != spi and vector == spi & ONE_BYTE

    def _asked_1(self, event: PacketPublished, _at_ns: int, who: object) -> None:
        self._asked(PciCreateInterrupt.parse(event.payload).int_desc.vector, who)

    def _asked_2(self, event: PacketPublished, _at_ns: int, who: object) -> None:
        self._asked(PciCreateInterrupt2.parse(event.payload).int_desc.vector, who)

    def crashed(self, *_: object) -> None:
        super().crashed()
        self._spis.clear()

    sees: ClassVar[Sees] = {
        SpisAllocated: _allocated,
        to_host(MessageType.PCI_CREATE_INTERRUPT_MESSAGE): _asked_1,
        to_host(MessageType.PCI_CREATE_INTERRUPT_MESSAGE2): _asked_2,
    }


class RestOfRegion(Signature):
    """A multi-MSI block has fewer interrupts than the region of its SPIs."""

    item = "O27"

    def __init__(self) -> None:
        super().__init__()
        self._left = 0

    def _allocated(self, event: SpisAllocated, *_: object) -> None:
        self._left += (1 << (event.count - 1).bit_length()) - event.count
        self.shown = bool(self._left)

    def crashed(self, *_: object) -> None:
        super().crashed()
        self._left = 0

    def leaks(self) -> Mapping[str, int]:
        """What the regions have more than the blocks."""
        return {"SPI": self._left}

    sees: ClassVar[Sees] = {SpisAllocated: _allocated}


class KeptDisabled(Signature):
    """An interrupt was open when the machine was switched off, and is still."""

    item = "O36"
    kinds = frozenset({"lost-interrupt"})
    what = ("was raised",)

    def __init__(self) -> None:
        super().__init__()
        self._spis: set[int] = set()  # irqs that have one
        self._open: set[int] = set()
        self._kept: set[int] = set()

    def _allocated(self, event: SpisAllocated, *_: object) -> None:
        self._spis.update(range(event.irq, event.irq + event.count))

    def _requested(self, event: InterruptRequested, *_: object) -> None:
        self._open.add(event.irq)

    def _freed(self, event: InterruptFreed, *_: object) -> None:
        self._open.discard(event.irq)
        self._kept.discard(event.irq)
        self.possible = bool(self._kept)

    def _switched_off(self, *_: object) -> None:
        self._kept = self._open & self._spis
        self.possible = bool(self._kept)

    def crashed(self, *_: object) -> None:
        super().crashed()
        for kept in (self._spis, self._open, self._kept):
            kept.clear()

    sees: ClassVar[Sees] = {
        SpisAllocated: _allocated,
        InterruptRequested: _requested,
        InterruptFreed: _freed,
        MachinePoweredOff: _switched_off,
    }
