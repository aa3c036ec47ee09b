# SPDX-License-Identifier: MIT
"""Accesses that a device puts off: who is held for how long, and when the device does them."""

from __future__ import annotations

import pytest

from host.deferral import BOTH, NEVER, Deferral, ReadHold
from host.events import AccessDeferred
from protocol.ids import SlotNumber
from sim.peer.bench_clock import BenchClock

ONES = 0xFFFF
SLOT = SlotNumber(2)
LATE_NS = 1_000
PATIENCE_NS = 5_000


class Rig:
    def __init__(self) -> None:
        self.clock = BenchClock()
        self.events: list[object] = []
        self.hold = ReadHold()
        self.deferral = Deferral("nvme0", self.clock, self.events.append, self.hold, PATIENCE_NS)
        self.done: list[int] = []

    def write(self, wslot: SlotNumber = SLOT) -> int:
        return self.deferral.write(wslot, lambda: self.done.append(self.clock.now_ns()))


def test_what_is_not_put_off_holds_nobody() -> None:
    rig = Rig()
    assert (rig.deferral.read(SLOT, 2, 7), rig.hold.take(), rig.write()) == (7, 0, 0)
    assert rig.done == []  # the caller writes himself


def test_a_read_is_answered_late_and_the_next_at_once() -> None:
    rig = Rig()
    rig.deferral.arm(SLOT, "read", LATE_NS)
    assert (rig.deferral.read(SLOT, 2, 7), rig.hold.take(), rig.hold.take()) == (7, LATE_NS, 0)
    assert (rig.deferral.read(SLOT, 2, 7), rig.hold.take()) == (7, 0)
    assert rig.events == [AccessDeferred("nvme0", SLOT, "read", LATE_NS)]


def test_a_write_is_done_at_the_end_before_its_processor_goes_on() -> None:
    rig = Rig()
    rig.deferral.arm(SLOT, "write", LATE_NS)
    held_ns = rig.write()
    rig.clock.pass_time(LATE_NS - 1)
    assert rig.done == []
    rig.clock.pass_time(LATE_NS)
    assert rig.done == [LATE_NS]
    assert held_ns > LATE_NS


@pytest.mark.parametrize("for_ns", [NEVER, PATIENCE_NS + 1])
def test_the_host_gives_up_a_device_that_takes_too_long(for_ns: int) -> None:
    rig = Rig()
    rig.deferral.arm(SLOT, BOTH, for_ns)
    assert (rig.deferral.read(SLOT, 2, 7), rig.hold.take()) == (ONES, PATIENCE_NS)
    assert rig.write() > PATIENCE_NS
    rig.clock.pass_time(2 * PATIENCE_NS)
    assert rig.done == []


def test_other_functions_and_other_accesses_are_not_put_off() -> None:
    rig = Rig()
    rig.deferral.arm(SLOT, "write", LATE_NS)
    assert rig.write(SlotNumber(0)) == 0
    assert (rig.deferral.read(SLOT, 2, 7), rig.hold.take()) == (7, 0)


def test_an_access_that_is_none_is_refused_in_a_line() -> None:
    with pytest.raises(ValueError, match="unknown access 'execute'; known: read, write, both"):
        Rig().deferral.arm(SLOT, "execute", LATE_NS)
