# SPDX-License-Identifier: MIT
"""Who waits and who holds what in the real driver's kernel is told in the reference's words."""

from guest.kernel.context import Context, Kind, TakenLock
from guest.kernel.cpu import Cpu
from guest.native.library import Library
from protocol.ids import CpuId, VpIndex
from sim.oracles.stuck import judge_waiting
from tests.guest.native.playing import played


async def _nothing() -> None:
    """Never runs."""


def waiting_for(title: str, held: str) -> Context:
    cpu = Cpu(CpuId(0), VpIndex(0), "0")
    context = Context(title, Kind.WORK, cpu, _nothing())
    context.coroutine.close()
    context.held = [held]
    return context


def test_a_circle_of_locks_of_the_real_driver_is_a_deadlock() -> None:
    one, other = waiting_for("one", "state_lock"), waiting_for("other", "device_lock")
    one.waiting_for = TakenLock("device_lock", other)
    other.waiting_for = TakenLock("state_lock", one)
    violation = judge_waiting([one, other], 0)
    assert violation is not None
    assert violation.kind == "deadlock"
    assert "one waits for device_lock and holds state_lock" in violation.message


def test_those_who_hang_are_told_with_what_they_hold(library: Library) -> None:
    _, verdict = played(library, "probe-fails")
    told = verdict.violation or verdict.explained
    assert told is not None
    assert (
        "vmbus_add_channel_work/hv_pri_chan#1 waits for flush_workqueue(hv_pci_96f2)"
        in told.message
    )
    assert "holds device_lock" in told.message


def test_contexts_have_the_titles_of_the_reference_guest(library: Library) -> None:
    world, _ = played(library, "arrival")
    titles = {stamped.context.partition(":")[2] for stamped in world.trace()}
    assert {"hv_acpi_init", "vmbus_add_channel_work/hv_pri_chan#1"} <= titles


def test_an_item_that_is_initialised_again_while_it_is_queued_corrupts_the_list(
    library: Library,
) -> None:
    _, verdict = played(library, "eject-twice")
    told = verdict.violation or verdict.explained
    assert told is not None
    assert told.kind == "list-corruption"
