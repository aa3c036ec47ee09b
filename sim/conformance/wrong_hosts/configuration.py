# SPDX-License-Identifier: MIT
"""Hosts that are wrong about configuration space and base registers."""

from __future__ import annotations

from functools import partial
from typing import Final

from msgspec.structs import replace

from protocol.hypercall import HV_STATUS_INVALID_HYPERCALL_CODE, HVCALL_MMIO_READ
from protocol.vpci import MessageType
from sim.conformance.host_bench import CONFIG_PAGE, WINDOW
from sim.conformance.wrong_hosts.meddled import (
    BAR_REGISTERS,
    WIDE,
    Calling,
    Meddled,
    Reading,
    Remembering,
    Writing,
)
from sim.conformance.wrong_hosts.relations import describing
from sim.conformance.wrong_hosts.row import WrongHost

M = MessageType
ONES: Final = 0xFFFF_FFFF
FLAG_BITS: Final = 0xF
CONFIG: Final = range(WINDOW + CONFIG_PAGE, WINDOW + 2 * CONFIG_PAGE)
SLOT_PAGE: Final = range(WINDOW, WINDOW + CONFIG_PAGE)


def _zeros(host: Meddled, gpa: int, _size: int, value: int) -> int:
    return 0 if gpa in CONFIG and host.slot > 1 else value


def _aliased(_host: Meddled, gpa: int, size: int, value: int) -> tuple[int, int, int]:
    return (gpa, size, 0 if gpa == WINDOW and value == 1 else value)


def _low_word(_host: Meddled, gpa: int, size: int, value: int) -> int:
    return 0 if gpa in CONFIG and size == 2 and gpa % 4 == 2 else value


def _deaf(_host: Meddled, gpa: int, size: int, value: int) -> tuple[int, int, int] | None:
    sizing = value in (0, ONES)
    return None if gpa in BAR_REGISTERS and not sizing else (gpa, size, value)


def _silent_bar(_host: Meddled, gpa: int, size: int, value: int) -> int:
    return (1 << 8 * size) - 1 if gpa >= WIDE else value


def _loud_bar(_host: Meddled, gpa: int, size: int, value: int) -> int:
    return 0 if gpa >= WIDE and value == (1 << 8 * size) - 1 else value


def _any_offset(_host: Meddled, gpa: int, size: int, value: int) -> tuple[int, int, int]:
    return (WINDOW, 4, value) if gpa in SLOT_PAGE else (gpa, size, value)


class WritesThrough(Meddled):
    """Writes to slot 0 what is written to any slot without a function."""

    def mmio_write(self, gpa: int, size: int, value: int) -> None:
        if gpa not in CONFIG or self.slot <= 1:
            super().mmio_write(gpa, size, value)
            return
        slot = self.slot
        super().mmio_write(WINDOW, 4, 0)
        super().mmio_write(gpa, size, value)
        super().mmio_write(WINDOW, 4, slot)


class ForgetsSlot(Meddled):
    """Selects slot 0 at D0 exit."""

    def mmio_read(self, gpa: int, size: int) -> int:
        if self.counts(M.PCI_BUS_D0EXIT) and self.slot:
            self.mmio_write(WINDOW, 4, 0)
        return super().mmio_read(gpa, size)


def _no_reads(code: int, _data: bytes) -> int | None:
    return HV_STATUS_INVALID_HYPERCALL_CODE if code == HVCALL_MMIO_READ else None


def remembering(high: int) -> partial[Remembering]:
    """A host whose base registers read back some bits as they were written."""
    return partial(Remembering, change=lambda value, written: value & ~high | written & high)


ROWS: Final = (
    WrongHost(
        id="lists-another-subsystem",
        does="lists another subsystem than configuration space shows",
        catches=("window-shows-listed-ids",),
        wrap=describing(lambda _, function: replace(function, subsystem_id=0x1234)),
    ),
    WrongHost(
        id="empty-slots-read-zeros",
        does="gives zeros where there is no function",
        catches=("empty-slot-reads-ones",),
        wrap=partial(Reading, change=_zeros),
    ),
    WrongHost(
        id="empty-slots-write-through",
        does="writes to slot 0 what is meant for a slot without a function",
        catches=("empty-slot-drops-writes",),
        wrap=WritesThrough,
    ),
    WrongHost(
        id="slot-0-for-1",
        does="takes slot 1 for slot 0",
        catches=("slot-selects-function",),
        wrap=partial(Writing, change=_aliased),
    ),
    WrongHost(
        id="loses-upper-words",
        does="reads zeros for the upper word of a dword",
        catches=("window-reads-bytes-and-words",),
        wrap=partial(Reading, change=_low_word),
    ),
    WrongHost(
        id="drops-addresses",
        does="drops addresses that are written into base registers",
        catches=("bar-keeps-address",),
        wrap=partial(Writing, change=_deaf),
    ),
    WrongHost(
        id="bars-without-size",
        does="reads back an address's bits below the BAR's size",
        catches=("bar-has-its-size",),
        wrap=remembering(0x3FF0),
    ),
    WrongHost(
        id="bars-without-type",
        does="reads back the type bits of a BAR as they were written",
        catches=("bar-keeps-type",),
        wrap=remembering(FLAG_BITS),
    ),
    WrongHost(
        id="moves-while-decoding",
        does="lets a BAR be moved while it decodes",
        catches=("bar-fixed-while-decoding",),
        wrap=remembering(ONES & ~FLAG_BITS),
    ),
    WrongHost(
        id="moves-while-decoding-in-openvmm",
        does="lets a BAR be moved while it decodes",
        catches=("bar-fixed-while-decoding-in-openvmm",),
        wrap=remembering(ONES & ~FLAG_BITS),
        profile="openvmm",
    ),
    WrongHost(
        id="bars-do-not-answer",
        does="gives all ones for reads of a BAR",
        catches=("bar-answers",),
        wrap=partial(Reading, change=_silent_bar),
    ),
    WrongHost(
        id="bars-always-answer",
        does="answers reads of a BAR that does not decode",
        catches=("bar-silent-without-decoding",),
        wrap=partial(Reading, change=_loud_bar),
    ),
    WrongHost(
        id="selects-by-any-write",
        does="selects a slot by every write to the slot page",
        catches=("slot-is-one-dword",),
        wrap=partial(Writing, change=_any_offset),
        profile="openvmm",
    ),
    WrongHost(
        id="forgets-slot",
        does="selects slot 0 at D0 exit",
        catches=("slot-outlives-d0",),
        wrap=ForgetsSlot,
        profile="openvmm",
    ),
    WrongHost(
        id="no-mmio-hypercalls",
        does="does not know HVCALL_MMIO_READ",
        catches=("window-answers-hypercalls",),
        wrap=partial(Calling, instead=_no_reads),
    ),
)
