# SPDX-License-Identifier: MIT
"""A requested interrupt keeps its mapping, unless its function has gone or memory failed."""

from __future__ import annotations

import pytest

from guest.events import MsiComposed, MsiFreed, MsiNotComposed
from guest.kernel.irq_events import InterruptFreed, InterruptRequested
from host.events import (
    ChannelOffered,
    DeviceUnassigned,
    RequestFailed,
    Rescinded,
)
from protocol.ids import Vector
from sim.oracles.laws.open_interrupts_mapped import OpenInterruptsMapped
from tests.sim.oracles.laws.tale import BUS, RELID, SLOT, broken, holds, told

ADDRESS = 0xFEE0_1000
OFFERED = ChannelOffered(BUS, RELID)


def composed(irq: int, data: int, count: int = 1) -> MsiComposed:
    return MsiComposed(RELID, SLOT, irq, Vector(32), count, ADDRESS, data)


def requested(*irqs: int) -> tuple[InterruptRequested, ...]:
    return tuple(InterruptRequested(irq, "nvme0") for irq in irqs)


def freed(data: int) -> MsiFreed:
    return MsiFreed(RELID, SLOT, ADDRESS, data)


def failed(reason: str) -> tuple[object, ...]:
    return MsiNotComposed(RELID, 24, reason), *requested(24)


BLOCK = (OFFERED, composed(24, 16, 2), composed(25, 17, 0))


def test_an_interrupt_is_composed_once_more_before_it_is_opened() -> None:
    again = (freed(16), composed(24, 18))
    assert holds(OpenInterruptsMapped, OFFERED, composed(24, 16), *again, *requested(24))


def test_an_interrupt_is_closed_before_its_mapping_is_given_back() -> None:
    tale = (OFFERED, composed(24, 16), *requested(24), InterruptFreed(24, "nvme0"), freed(16))
    assert holds(OpenInterruptsMapped, *tale)


def test_an_open_interrupt_whose_mapping_was_given_back_is_lost() -> None:
    violation = broken(OpenInterruptsMapped, OFFERED, composed(24, 16), *requested(24), freed(16))
    assert violation.kind == "lost-interrupt"
    assert "irq 24" in violation.message


def test_an_open_interrupt_that_gets_a_new_mapping_is_not_lost() -> None:
    restored = (freed(16), composed(24, 18))
    assert holds(OpenInterruptsMapped, OFFERED, composed(24, 16), *requested(24), *restored)


def test_the_first_vector_of_a_block_takes_its_siblings_along() -> None:
    again = (freed(16), composed(24, 32, 2))
    assert holds(OpenInterruptsMapped, *BLOCK, *again, composed(25, 33, 0), *requested(24, 25))
    assert "irq 25" in broken(OpenInterruptsMapped, *BLOCK, *requested(25), *again).message


def test_the_record_of_a_later_vector_may_go_by_itself() -> None:
    assert holds(OpenInterruptsMapped, *BLOCK, *requested(24), freed(17))


def test_an_interrupt_that_the_host_refused_to_map_is_open_for_nothing() -> None:
    assert (
        "without a message"
        in broken(OpenInterruptsMapped, OFFERED, *failed("status 0xc0000001")).message
    )


@pytest.mark.parametrize("reason", ["out of memory", "sending gave -11"])
def test_an_interrupt_that_could_not_be_asked_for_is_open_item_17(reason: str) -> None:
    tale = (OFFERED, *failed(reason))
    assert told(OpenInterruptsMapped, *tale, may_show=("O17",)) == (None, ("O17",))
    assert "open item O17" in broken(OpenInterruptsMapped, *tale).message


def test_a_host_that_was_made_to_refuse_shows_open_item_17() -> None:
    fault = RequestFailed(BUS, "PCI_CREATE_INTERRUPT_MESSAGE3", 0xC0000001)
    tale = (OFFERED, fault, *failed("status 0xc0000001"))
    assert told(OpenInterruptsMapped, *tale, may_show=("O17",)) == (None, ("O17",))


@pytest.mark.parametrize(
    "tale",
    [
        failed("no such function"),
        failed("the device has gone"),
        failed("sending gave -19"),
        (DeviceUnassigned(BUS, SLOT), *failed("status 0xc000090b")),
        (Rescinded(BUS, RELID), *failed("status 0xc000090b")),
    ],
)
def test_a_function_that_is_gone_interrupts_nobody(tale: tuple[object, ...]) -> None:
    assert holds(OpenInterruptsMapped, OFFERED, *tale)


def test_the_next_channel_begins_without_interrupts() -> None:
    life = (*BLOCK, *requested(24, 25), Rescinded(BUS, RELID))
    assert holds(OpenInterruptsMapped, *life, *life)
