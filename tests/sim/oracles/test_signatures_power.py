# SPDX-License-Identifier: MIT
"""How the open items of hibernation are recognised, and what does not belong to them."""

from __future__ import annotations

from errno import EPROTO

import pytest

from guest.events import (
    DriverRemoved,
    FunctionReturned,
    ProcessesFrozen,
    RescindFlagRaised,
    RootBusRemovalBegan,
)
from protocol.ids import RelId
from protocol.link import Direction, MessagePosted
from protocol.vmbus import VmbusChannelOfferChannel, VmbusChannelRescindOffer
from sim.violation import Leak, Violation
from tests.sim.oracles.test_known import ONE, TWO, found, seen

FROZEN = ProcessesFrozen()
AWAKE = FunctionReturned(RelId(0), "hibernate", 0)
ASLEEP = FunctionReturned(ONE, "hv_pci_suspend", 0)
FAILED = FunctionReturned(ONE, "hv_pci_resume", -EPROTO)
RESCINDED = RescindFlagRaised(ONE)
REMOVED = DriverRemoved(ONE)
WHOLE = RootBusRemovalBegan(ONE)
LEFT = (Leak("PCI slot", 1), Leak("WorkQueue", 1))
RING = found("null-dereference", "thread/1:unbind-bus:user", "outbound ring of channel 2 written")
FREED = found("use-after-free", "thread/0:hibernate", "Requestor.match read")
OFFER = VmbusChannelOfferChannel().build()
RESCIND = VmbusChannelRescindOffer(child_relid=1).build()


def known_leaks(item: str) -> tuple[Leak, ...]:
    return tuple(Leak(leak.what, leak.count, item) for leak in LEFT)


@pytest.mark.parametrize(
    ("tale", "item"),
    [
        ((FROZEN, ASLEEP, FAILED, AWAKE, REMOVED), "O8"),
        ((FROZEN, FAILED, AWAKE, RESCINDED, REMOVED), "O8"),
        ((FROZEN, ASLEEP, RESCINDED, REMOVED), "O33"),
        ((FROZEN, RESCINDED, REMOVED), "O33"),
    ],
)
def test_of_a_bus_that_is_removed_half_down_its_queue_and_its_root_bus_stay(
    tale: tuple[object, ...], item: str
) -> None:
    told = seen(tale, "O8", "O33")
    assert told.showing() == {item}
    assert told.excuse(LEFT) == known_leaks(item)


def test_a_bus_that_is_removed_whole_loses_nothing() -> None:
    told = seen((FROZEN, RESCINDED, WHOLE, REMOVED), "O8", "O33")
    assert told.showing() == set()
    assert told.excuse(LEFT) == LEFT


def test_a_failure_explains_what_meets_a_bus_that_is_half_down() -> None:
    assert seen((FROZEN, FAILED), "O8").explaining(RING) == {"O8"}
    assert seen((FROZEN, ASLEEP), "O8").explaining(RING) == set()
    assert seen((FROZEN, FAILED), "O8").explaining(FREED) == set()


@pytest.mark.parametrize("tale", [(FROZEN, RESCINDED), (RESCINDED, FROZEN)])
def test_a_rescind_during_a_hibernation_explains_what_the_two_do_to_each_other(
    tale: tuple[object, ...],
) -> None:
    assert seen(tale, "O33").explaining(FREED) == {"O33"}


def test_a_rescind_that_is_over_or_comes_later_explains_nothing() -> None:
    for tale in ((RESCINDED, WHOLE, REMOVED, FROZEN), (FROZEN, AWAKE, RESCINDED)):
        assert seen(tale, "O33").explaining(FREED) == set()
    elsewhere = found("use-after-free", "thread/1:submit:user", "Requestor.match read")
    assert seen((FROZEN, RESCINDED), "O33").explaining(elsewhere) == set()


TOUCHED = ("HvPciBus.wq", "SpinLock.owner", "WorkQueue.name", "Requestor.match")


@pytest.mark.parametrize("what", TOUCHED)
def test_a_rescind_explains_what_it_takes_from_under_a_hibernation(what: str) -> None:
    freed = found("use-after-free", "thread/0:hibernate", f"{what} read after its lifetime")
    assert seen((FROZEN, RESCINDED), "O33").explaining(freed) == {"O33"}
    dropped = found("null-dereference", "thread/0:hibernate", "hbus->wq is NULL")
    assert seen((FROZEN, RESCINDED), "O33").explaining(dropped) == {"O33"}


@pytest.mark.parametrize(
    "mistake",
    [
        found("use-after-free", "thread/0:hibernate", "HvPciDev.state read after its lifetime"),
        found("use-after-free", "thread/0:hibernate", "HvDevice.drvdata read after its lifetime"),
        found("use-after-free", "work/0:vmbus_onoffer_rescind", "HvPciBus.state read"),
        found("double-free", "thread/0:hibernate", "Requestor freed a second time"),
        found("null-dereference", "thread/0:hibernate", "hbus->bridge->bus is NULL"),
        found("hang", "thread/0:hibernate", "thread/0:hibernate waits for HvPciBus.state_lock"),
    ],
)
def test_a_rescind_explains_no_other_mistake_of_a_hibernation(mistake: Violation) -> None:
    assert seen((FROZEN, RESCINDED), "O33").explaining(mistake) == set()


@pytest.mark.parametrize("payload", [OFFER, RESCIND], ids=["offer", "rescind"])
def test_an_offer_or_rescind_may_be_lost_only_while_the_guest_hibernates(payload: bytes) -> None:
    lost = (Leak("OnMessageWork", 1),)
    posted = MessagePosted("host-to-guest", payload)
    assert seen((FROZEN, posted), "O34").excuse(lost)[0].known == "O34"
    assert seen((posted, FROZEN, AWAKE, posted), "O34").excuse(lost) == lost
    back: Direction = "guest-to-host"
    assert seen((FROZEN, MessagePosted(back, payload)), "O34").excuse(lost) == lost


def test_the_bus_of_another_channel_is_not_meant() -> None:
    told = seen((FROZEN, FAILED, AWAKE, DriverRemoved(TWO)), "O8")
    assert told.showing() == set()
