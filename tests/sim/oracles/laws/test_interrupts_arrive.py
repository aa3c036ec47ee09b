# SPDX-License-Identifier: MIT
"""What a device raises must reach the handler of the vector that raised it."""

from __future__ import annotations

from errno import ETIMEDOUT

import pytest

from guest.events import FunctionReturned, MsiComposed, MsiFreed, MsiNotComposed
from guest.kernel.irq_events import (
    InterruptFreed,
    InterruptHandled,
    InterruptRequested,
    InterruptShutDown,
)
from host.events import ChannelOffered, InterruptDropped, InterruptHeld, InterruptRaised
from protocol.ids import Vector
from sim.oracles.laws.interrupts_arrive import PATIENCE_NS, InterruptsArrive
from tests.sim.oracles.laws.tale import BUS, OTHER_SLOT, RELID, SLOT, At, broken, holds, told

FIRST, SECOND = 24, 25  # interrupts of one function
ADDRESS = 0xFEE0_0010


def composed(irq: int, data: int) -> MsiComposed:
    return MsiComposed(RELID, SLOT, irq, Vector(33), 1, ADDRESS, data)


def raised(index: int, data: int) -> InterruptRaised:
    return InterruptRaised(BUS, SLOT, index, ADDRESS, data)


def requested(irq: int) -> InterruptRequested:
    return InterruptRequested(irq, "queue")


def freed(irq: int) -> InterruptFreed:
    return InterruptFreed(irq, "queue")


OFFERED = ChannelOffered(BUS, RELID)
AT_WORK = (OFFERED, composed(FIRST, 0), composed(SECOND, 1), requested(FIRST), requested(SECOND))
HANDLED = InterruptHandled(FIRST, 0)
DROPPED = InterruptDropped(BUS, SLOT, 0, 0, 0)


def test_raised_interrupts_are_handled_merged_ones_once() -> None:
    assert holds(InterruptsArrive, *AT_WORK, raised(0, 0), raised(0, 0), At(2_000), HANDLED)


def test_an_interrupt_that_is_never_handled_is_lost() -> None:
    violation = broken(InterruptsArrive, *AT_WORK, raised(0, 0), raised(1, 1), HANDLED)
    assert violation.kind == "lost-interrupt"
    assert violation.message.startswith(f"irq {SECOND} was raised ")


def test_what_is_pending_in_an_interrupt_that_is_shut_down_with_its_cpu_is_not_lost() -> None:
    shut_down = InterruptShutDown(FIRST, 1)
    assert holds(InterruptsArrive, *AT_WORK, raised(0, 0), shut_down)
    assert broken(InterruptsArrive, *AT_WORK, raised(1, 1), shut_down)
    assert broken(InterruptsArrive, *AT_WORK, shut_down, raised(0, 0))


def test_being_handled_as_another_interrupt_is_being_lost() -> None:
    assert broken(InterruptsArrive, *AT_WORK, raised(1, 1), HANDLED)


def test_a_driver_may_free_what_is_under_way_but_not_after_waiting_in_vain() -> None:
    assert holds(InterruptsArrive, *AT_WORK, raised(0, 0), At(PATIENCE_NS - 1), freed(FIRST))
    violation = broken(InterruptsArrive, *AT_WORK, raised(0, 0), At(PATIENCE_NS), freed(FIRST))
    assert "raised 30.000000 s before it was freed" in violation.message


def test_what_raises_before_it_is_requested_proves_nothing() -> None:
    assert holds(InterruptsArrive, OFFERED, composed(FIRST, 0), raised(0, 0))


def test_a_masked_vector_is_only_pending() -> None:
    assert holds(InterruptsArrive, *AT_WORK, InterruptHeld(BUS, SLOT, 0))


def test_a_message_without_an_entry_is_lost_while_its_function_is_at_work() -> None:
    assert (
        "0x0/0x0 that reaches no remapping entry"
        in broken(InterruptsArrive, *AT_WORK, DROPPED).message
    )
    assert broken(InterruptsArrive, *AT_WORK, freed(FIRST), requested(FIRST), DROPPED)


@pytest.mark.parametrize("before", [AT_WORK[:3], (*AT_WORK, freed(SECOND))])
def test_a_message_without_an_entry_is_nothing_to_a_driver_that_comes_or_goes(
    before: tuple[object, ...],
) -> None:
    assert holds(InterruptsArrive, *before, DROPPED)


def test_another_functions_driver_does_not_count() -> None:
    assert holds(InterruptsArrive, *AT_WORK, InterruptDropped(BUS, OTHER_SLOT, 0, 0, 0))


def test_a_message_that_was_composed_for_nothing_is_lost() -> None:
    assert "that nobody composed" in broken(InterruptsArrive, *AT_WORK, raised(2, 2)).message
    gone = MsiFreed(RELID, SLOT, ADDRESS, 1)
    assert broken(InterruptsArrive, *AT_WORK, gone, raised(1, 1))


def test_where_composing_has_failed_the_loss_is_open_item_17() -> None:
    tale = (OFFERED, MsiNotComposed(RELID, FIRST, "status 1"), requested(FIRST), DROPPED)
    judgement = told(InterruptsArrive, *tale, may_show=("O17",))
    assert (judgement.violation, judgement.known) == (None, ("O17",))
    assert broken(InterruptsArrive, *tale)


def test_a_run_that_something_else_ended_proves_nothing() -> None:
    assert told(InterruptsArrive, *AT_WORK, raised(0, 0), whole=False).violation is None


def test_a_block_that_was_kept_over_a_suspend_is_the_open_item_until_it_is_asked_for_again() -> (
    None
):
    block = MsiComposed(RELID, SLOT, FIRST, Vector(32), 4, ADDRESS, 0)
    kept = (OFFERED, block, requested(FIRST), FunctionReturned(RELID, "hv_pci_suspend", 0))
    assert told(InterruptsArrive, *kept, DROPPED, may_show=("O32",)).known == ("O32",)
    assert "open item" not in broken(InterruptsArrive, *kept, block, DROPPED).message
    failed = FunctionReturned(RELID, "hv_pci_suspend", -ETIMEDOUT)
    tale = (OFFERED, block, requested(FIRST), failed, DROPPED)
    assert "open item" not in broken(InterruptsArrive, *tale).message


def test_a_single_vector_that_is_not_asked_for_again_is_lost() -> None:
    asleep = FunctionReturned(RELID, "hv_pci_suspend", 0)
    assert "open item" not in broken(InterruptsArrive, *AT_WORK, asleep, DROPPED).message
