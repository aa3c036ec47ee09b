# SPDX-License-Identifier: MIT
"""The census at the end of a run: each kind of leak is noticed, and an explained one is known."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from guest.kernel.memory import bury
from guest.kernel.resource import Resource
from guest.kernel.work import Work
from guest.pci_core.types import PciDev, PciSlot
from guest.reference import ReferenceGuest
from sim.oracles.leaks import census, judge_leaks
from sim.scenario_reader import load_scenario
from sim.world import World


@pytest.fixture
def guest() -> ReferenceGuest:
    """The guest of a world that has run to a clean end, a device still in it."""
    world = World(load_scenario("arrival"))
    assert world.run().verdict == "clean"
    return world.guest


def lose_an_object(guest: ReferenceGuest) -> None:
    async def nothing(_: Work) -> None:
        """Never runs."""

    guest.kernel.heap.add(Work("lost", nothing))


def lose_a_range(guest: ReferenceGuest) -> None:
    guest.vmbus.mmio.regions[Resource(name="lost")] = None


def lose_a_domain(guest: ReferenceGuest) -> None:
    guest.driver.domains.hv_get_dom_num(0x1234)


def lose_pages(guest: ReferenceGuest) -> None:
    guest.kernel.memory.alloc_pages(1)


def lose_a_request(guest: ReferenceGuest) -> None:
    (channel,) = guest.vmbus.channels.values()
    assert channel.requestor is not None
    channel.requestor.next_id(object())


def lose_a_slot(guest: ReferenceGuest) -> None:
    (bus,) = guest.pci.buses.values()
    guest.pci.slot_names["lost"] = PciSlot(bus, 7, "lost")


@pytest.mark.parametrize(
    ("lose", "what"),
    [
        (lose_an_object, "Work"),
        (lose_a_range, "MMIO range"),
        (lose_a_domain, "PCI domain"),
        (lose_pages, "block of pages"),
        (lose_a_request, "request id"),
        (lose_a_slot, "PCI slot"),
    ],
)
def test_what_is_lost_is_counted_under_its_name(
    guest: ReferenceGuest, lose: Callable[[ReferenceGuest], None], what: str
) -> None:
    assert census(guest) == ()
    lose(guest)
    leaks = census(guest)
    assert [(leak.what, leak.count, leak.known) for leak in leaks] == [(what, 1, None)]
    violation = judge_leaks(leaks, now_ns=5)
    assert violation is not None
    assert (violation.kind, violation.at_ns) == ("leak", 5)
    assert what in violation.message


def test_a_device_that_a_process_holds_open_is_not_lost() -> None:
    world = World(load_scenario("eject-in-use"))
    world.run()
    guest = world.guest
    held = PciDev.__new__(PciDev)
    guest.kernel.heap.add(held)
    assert [leak.what for leak in census(guest)] == ["PciDev"]
    assert census(guest, keepers=[held]) == ()


def test_nothing_lost_is_no_violation() -> None:
    assert judge_leaks((), now_ns=0) is None


def test_a_relid_that_the_host_waits_for_is_lost_unless_its_channel_is_in_use(
    guest: ReferenceGuest,
) -> None:
    (relid,) = guest.vmbus.channels
    assert census(guest, held_relids=[relid]) == ()
    assert [leak.what for leak in census(guest, held_relids=[relid, 7])] == ["relid"]
    guest.vmbus.channels[relid].rescind = True
    assert [leak.what for leak in census(guest, held_relids=[relid])] == ["relid"]


def test_a_channel_that_died_and_is_still_in_the_tables_is_not_in_use(
    guest: ReferenceGuest,
) -> None:
    ((relid, channel),) = guest.vmbus.channels.items()
    bury(channel, "FREED_TWIN")
    assert "relid" in [leak.what for leak in census(guest, held_relids=[relid])]
