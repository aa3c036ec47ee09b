# SPDX-License-Identifier: MIT
"""Each retarget moves the interrupt it is about, to the CPU that has its vector."""

from __future__ import annotations

from guest.events import MsiComposed, MsiRetargeted
from guest.kernel.irq_events import VectorAllocated
from host.events import InterruptRetargeted
from protocol.hypercall import HV_STATUS_INVALID_PARAMETER
from protocol.ids import Vector, VpIndex
from sim.oracles.laws.retargets_aim_right import RetargetsAimRight
from tests.sim.oracles.laws.tale import RELID, SLOT, At, broken, holds

IRQ, OTHER = 24, 25
VECTOR = Vector(33)
READY = (
    At(0, "work/0:probe"),
    MsiComposed(RELID, SLOT, IRQ, VECTOR, 1, 0x1_FEE0_0000, 7),
    VectorAllocated(IRQ, 1, VECTOR, managed=False),
)


def made(address: int = 0xFEE0_0000, data: int = 7, vector: int = 33) -> InterruptRetargeted:
    """What the host was asked for, and did."""
    return InterruptRetargeted(0x12345678, address, data, vector, (VpIndex(5),), 0)


def said(*cpus: int, vector: int = 33, status: int = 0) -> MsiRetargeted:
    """What the guest takes that for."""
    return MsiRetargeted(RELID, IRQ, cpus, Vector(vector), status)


def test_an_interrupt_is_aimed_where_its_vector_is() -> None:
    assert holds(RetargetsAimRight, *READY, made(), said(1))


def test_an_interrupt_that_moved_is_aimed_at_its_new_place() -> None:
    moved = VectorAllocated(IRQ, 0, Vector(34), managed=False)
    assert holds(
        RetargetsAimRight, *READY, made(), said(1), moved, made(vector=34), said(0, vector=34)
    )
    assert broken(RetargetsAimRight, *READY, moved, made(), said(1))


def test_all_cpus_that_an_interrupt_might_use_are_too_many() -> None:
    violation = broken(RetargetsAimRight, *READY, made(), said(0, 1))
    assert violation.kind == "lost-interrupt"
    assert "holds vector 33 of CPU 1" in violation.message


def test_another_ones_message_moves_another_one() -> None:
    assert "not its own" in broken(RetargetsAimRight, *READY, made(data=8), said(1)).message


def test_another_ones_target_does_not_help() -> None:
    assert (
        "another one needs" in broken(RetargetsAimRight, *READY, made(vector=40), said(1)).message
    )


def test_who_asked_at_the_same_time_is_told_apart() -> None:
    elsewhere = At(0, "work/1:probe")
    theirs = MsiRetargeted(RELID, OTHER, (0,), Vector(40), 0)
    tale = (
        *READY,
        made(),
        elsewhere,
        made(data=9, vector=40),
        theirs,
        At(0, "work/0:probe"),
        said(1),
    )
    assert holds(RetargetsAimRight, *tale)


def test_what_the_host_refused_changes_nothing() -> None:
    refused = said(0, 1, status=HV_STATUS_INVALID_PARAMETER)
    assert holds(RetargetsAimRight, *READY, refused)


def test_an_interrupt_of_which_nothing_is_known_proves_nothing() -> None:
    assert holds(RetargetsAimRight, said(0, 1))
