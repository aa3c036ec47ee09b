# SPDX-License-Identifier: MIT
"""How failures are recognised: a ring that stays behind, a callback that is taken back."""

from __future__ import annotations

from errno import ENOMEM

from guest.events import FunctionReturned
from host.events import BlockInvalidateSent
from sim.violation import Leak, Violation
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


def test_a_notice_may_meet_a_driver_whose_queue_is_gone_and_forgotten() -> None:
    notice = BlockInvalidateSent("nic0", 0, 2)
    message = "read_stale_blocks is queued on no workqueue"
    lost = Violation("null-dereference", "", message, "softirq/1:vmbus_on_event/1@0", 0)
    assert seen((notice,), "O11").explaining(lost) == {"O11"}
    assert not seen((), "O11").explaining(lost)
