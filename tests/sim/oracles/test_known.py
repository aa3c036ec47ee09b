# SPDX-License-Identifier: MIT
"""Signatures of open items: what they recognise, what they explain, and what they leave alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from guest.events import (
    ChildAdded,
    ChildRemoved,
    DriverRemoved,
    EjectQueued,
    FunctionReturned,
    KernelCrashed,
    MachinePoweredOff,
    MsiComposed,
    RelationsQueued,
)
from guest.kernel.irq_events import InterruptFreed, InterruptRequested, SpisAllocated
from host.events import Rescinded
from protocol.ids import RelId, SlotNumber, TransactionId, Vector, VpIndex
from protocol.link import PacketPublished
from protocol.vmbus import VM_PKT_DATA_INBAND
from protocol.vpci import HvMsiDesc2, PciCreateInterrupt2
from sim.oracles.judge import END
from sim.oracles.known import Recognised, Signature, recognise
from sim.oracles.signatures import SIGNATURES
from sim.violation import Leak, Violation

ONE, TWO, THREE = RelId(1), RelId(2), RelId(3)
SLOT = SlotNumber(0)
QUEUED = EjectQueued(ONE, SLOT)
OMITTED = ChildRemoved(ONE, SLOT, 1, "relations")
OVERTAKEN = (QUEUED, RelationsQueued(ONE, 0, True), OMITTED)
LISTED_FIRST = (RelationsQueued(ONE, 0, False), QUEUED, OMITTED)


def seen(events: Sequence[object], *items: str) -> Recognised:
    return recognise(items, [(0, None, event) for event in events], SIGNATURES)


def found(kind: str, context: str, message: str = "") -> Violation:
    return Violation(kind, "a law", message, context, 0)


UNLINKED_TWICE = found("list-corruption", "work/1:hv_eject_device_work/hv_pci_1#3")


@pytest.mark.parametrize(("events", "item"), [(OVERTAKEN, "O1"), (LISTED_FIRST, "O2")])
def test_a_function_that_is_removed_twice_is_told_by_how_the_list_came(
    events: Sequence[object], item: str
) -> None:
    both = seen(events, "O1", "O2")
    assert both.showing() == {item}
    assert both.explaining(UNLINKED_TWICE) == {item}


def test_an_item_that_is_not_named_explains_nothing() -> None:
    assert seen(OVERTAKEN).showing() == set()
    assert seen(OVERTAKEN, "O2").explaining(UNLINKED_TWICE) == set()


@pytest.mark.parametrize(
    "other",
    [
        found("deadlock", UNLINKED_TWICE.context),
        found("list-corruption", "work/1:pci_devices_present_work/hv_pci_1#3"),
    ],
)
def test_an_item_explains_its_own_violation_and_no_other(other: Violation) -> None:
    assert seen(OVERTAKEN, "O1").explaining(other) == set()


def test_what_an_item_needs_must_be_in_the_trace() -> None:
    assert seen((QUEUED,), "O1", "O2", "O3").explaining(UNLINKED_TWICE) == set()


def children(*relids: RelId) -> list[object]:
    return [ChildAdded(relid, SLOT, 1, 2, 3) for relid in relids]


def test_children_are_excused_only_where_a_rescind_took_their_bus() -> None:
    events = [
        *children(ONE, TWO, THREE),
        ChildRemoved(THREE, SLOT, 3, "eject"),
        Rescinded("one", ONE),
        Rescinded("three", THREE),
        *(DriverRemoved(relid) for relid in (ONE, TWO, THREE)),
    ]
    leaks = seen(events, "O9").excuse((Leak("HvPciDev", 2), Leak("Work", 1)))
    assert leaks == (Leak("HvPciDev", 1, "O9"), Leak("HvPciDev", 1), Leak("Work", 1))


def test_a_failing_probe_loses_children_with_a_rescind_and_without() -> None:
    failed = FunctionReturned(ONE, "hv_pci_probe", -71)
    without = seen([*children(ONE), failed], "O7", "O9")
    assert without.showing() == {"O7"}
    taken_back = seen([*children(ONE), Rescinded("one", ONE), failed], "O7", "O9")
    assert taken_back.showing() == {"O9"}


BLOCK = (
    SpisAllocated(24, 64, 3),
    MsiComposed(ONE, SLOT, 24, Vector(32), 3, 0xFFFF_0040, 0),
)


def test_a_block_of_spis_is_asked_for_by_a_dummy_and_leaves_a_rest() -> None:
    shown = seen(BLOCK, "O25", "O27")
    assert shown.showing() == {"O25", "O27"}
    assert shown.explaining(found("lost-interrupt", END)) == {"O25"}
    leaks = shown.excuse([Leak("SPI", 2)])
    assert leaks == (Leak("SPI", 1, "O27"), Leak("SPI", 1))


def test_an_spi_that_is_asked_for_by_its_number_shows_nothing() -> None:
    single = (SpisAllocated(24, 64, 1), MsiComposed(ONE, SLOT, 24, Vector(64), 1, 0xFFFF_0040, 0))
    x86 = (MsiComposed(ONE, SLOT, 24, Vector(32), 3, 0xFEE0_0010, 0),)
    assert seen(single, "O25", "O27").showing() == set()
    assert seen(x86, "O25", "O27").showing() == set()


def test_an_spi_that_was_open_when_the_machine_went_off_is_lost_until_it_is_freed() -> None:
    off = (SpisAllocated(24, 64, 1), InterruptRequested(24, "a"), MachinePoweredOff())
    lost = found("lost-interrupt", END, "irq 24 was raised 60 s before the end, in vain")
    assert seen(off, "O36").explaining(lost) == {"O36"}
    assert seen(off[:2], "O36").explaining(lost) == set()
    freed = (*off[:2], InterruptFreed(24, "a"), MachinePoweredOff())
    assert seen(freed, "O36").explaining(lost) == set()
    assert seen(off[1:], "O36").explaining(lost) == set(), "x86 has no such thing"
    again = (*off, InterruptFreed(24, "a"))
    assert seen(again, "O36").explaining(lost) == set()


def created(vector: int) -> PacketPublished:
    """The message of version 1.3 that asks for it."""
    payload = PciCreateInterrupt2(int_desc=HvMsiDesc2(vector=vector, vector_count=1)).build()
    return PacketPublished("guest-to-host", ONE, VM_PKT_DATA_INBAND, TransactionId(1), 1, payload)


@pytest.mark.parametrize(
    ("spi", "asked", "shows"), [(300, 44, {"O26"}), (200, 200, set()), (300, 45, set())]
)
def test_an_spi_is_cut_where_the_wire_has_its_low_eight_bits(
    spi: int, asked: int, shows: set[str]
) -> None:
    assert seen((SpisAllocated(24, spi, 1), created(asked)), "O26").showing() == shows


def test_what_a_dead_kernel_has_lost_excuses_no_leak_of_the_next() -> None:
    lost = FunctionReturned(ONE, "vmbus_close", -12)
    leak = Leak("Requestor", 1)
    assert seen([lost], "O35").excuse([leak]) == (Leak("Requestor", 1, "O35"),)
    assert seen([lost, KernelCrashed(VpIndex(0))], "O35").excuse([leak]) == (leak,)


@pytest.mark.parametrize("make", SIGNATURES)
def test_a_signature_that_keeps_more_says_what_a_crash_makes_of_it(make: type[Signature]) -> None:
    keeps_more = vars(make()).keys() - {"shown", "possible"}
    assert not keeps_more or make.crashed is not Signature.crashed
