# SPDX-License-Identifier: MIT
"""Who answers an instruction and who a hypercall, in a VM and in an isolated one."""

from __future__ import annotations

import pytest

from host.mmio import Mmio
from host.unreliable import Mischief
from protocol.link import UnclaimedAccess
from tests.host.test_unreliable import Imp

WINDOW = 0x1000
BAR = 0x8000
HELD_NS = 5
DENIED = 6
ONES = (1 << 32) - 1
HERE = 0x11


class Space(Mmio):
    """One page of a configuration window and one BAR, both answering the same."""

    def __init__(
        self, *, isolated: bool, absent_status: int = 0, mischief: Mischief | None = None
    ) -> None:
        self.events: list[object] = []
        super().__init__(
            self.events.append, isolated=isolated, absent_status=absent_status, mischief=mischief
        )
        assert self.windows.claim_page(WINDOW >> 12, self.answer, self.take)
        assert self.addresses.claim_region(BAR, 0x1000, self.answer, self.take)

    def answer(self, _offset: int, _size: int) -> int:
        return HERE

    def take(self, _offset: int, _size: int, _value: int) -> int:
        return HELD_NS


def test_without_isolation_both_ways_lead_everywhere() -> None:
    space = Space(isolated=False)
    for gpa in (WINDOW, BAR):
        assert (space.read(gpa, 4), space.write(gpa, 4, 1)) == (HERE, HELD_NS)
        assert space.called_read(gpa, 4) == (0, HERE)
        assert space.called_write(gpa, 4, 1) == (0, HELD_NS)
    assert space.events == []


def test_of_an_isolated_guest_instructions_reach_bars_and_hypercalls_windows() -> None:
    space = Space(isolated=True, absent_status=DENIED)
    assert (space.read(BAR, 4), space.write(BAR, 4, 1)) == (HERE, HELD_NS)
    assert (space.read(WINDOW, 4), space.write(WINDOW, 4, 1)) == (ONES, 0)
    assert space.called_read(WINDOW, 4) == (0, HERE)
    assert space.called_write(WINDOW, 4, 1) == (0, HELD_NS)
    assert space.called_read(BAR, 4)[0] == space.called_write(BAR, 4, 1)[0] == DENIED


@pytest.mark.parametrize("status", [0, DENIED])
def test_a_call_that_nobody_answers_gives_the_status_of_the_knob(status: int) -> None:
    space = Space(isolated=True, absent_status=status)
    assert space.called_read(0, 4) == (status, ONES)
    assert space.called_write(0, 4, 1) == (status, 0)
    assert [type(event) for event in space.events] == [UnclaimedAccess] * 2


@pytest.mark.parametrize("call", ["HVCALL_MMIO_READ", "HVCALL_MMIO_WRITE"])
def test_a_call_may_fail_once_though_somebody_would_answer(call: str) -> None:
    space = Space(isolated=True, mischief=Imp(fails_call=call))
    first = space.called_read(WINDOW, 4)[0], space.called_write(WINDOW, 4, 1)[0]
    assert sorted(first) == [0, 8]
    assert (space.called_read(WINDOW, 4)[0], space.called_write(WINDOW, 4, 1)[0]) == (0, 0)
    assert space.events == []
