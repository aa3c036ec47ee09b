# SPDX-License-Identifier: MIT
"""How a ring that stays behind is recognised, with what belongs to it in the real driver."""

from __future__ import annotations

from errno import ENOMEM

from guest.events import FunctionReturned
from sim.violation import Leak
from tests.sim.oracles.test_known import ONE, seen

NOT_CLOSED = FunctionReturned(ONE, "vmbus_close", -ENOMEM)


def test_a_ring_that_stays_behind_has_its_buffer_and_its_requests_with_it() -> None:
    lost = tuple(
        Leak(what, 1) for what in ("block of pages", "packet buffer", "Requestor", "bitmap")
    )
    told = seen((NOT_CLOSED,), "O35")
    assert told.showing() == {"O35"}
    assert {leak.known for leak in told.excuse(lost)} == {"O35"}


def test_it_has_one_of_each_and_nothing_else() -> None:
    told = seen((NOT_CLOSED,), "O35").excuse((Leak("packet buffer", 2), Leak("HvPciDev", 1)))
    assert told == (Leak("packet buffer", 1, "O35"), Leak("packet buffer", 1), Leak("HvPciDev", 1))
    assert seen((), "O35").excuse((Leak("bitmap", 1),)) == (Leak("bitmap", 1),)
