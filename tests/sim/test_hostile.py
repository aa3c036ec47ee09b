# SPDX-License-Identifier: MIT
"""A hostile host opposite a confidential VM: what the guest checks, and what it believes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from msgspec.structs import replace

from guest.events import ChildRemoved, MsiNotComposed, PacketDropped, RequestCompleted
from guest.pci_core.events import DriverBound, DriverProbeFailed, PciDevRemoved
from guest.pci_hyperv.bus import HvPciBus
from host.events import EjectSent, InterruptCreated
from protocol.ids import SlotNumber
from sim.identity import instance_id
from sim.scenario import Scenario
from sim.scenario_reader import built_in_names, load_scenario
from sim.world import World
from tests.house.sources import ROOT

HOSTILE = tuple(name for name in built_in_names() if name.startswith("hostile-"))
KERNEL_OLDER = ("hostile-answers", "hostile-messages")  # played without isolation


def events(world: World, *kinds: type) -> list[Any]:
    return [stamped.event for stamped in world.trace() if isinstance(stamped.event, kinds)]


def played(scenario: Scenario, verdict: str = "clean", *known: str) -> World:
    world = World(scenario)
    told = world.run()
    assert (told.verdict, told.known) == (verdict, known)
    return world


def bars_said_to_be(told: str) -> Scenario:
    """The story of the BARs, without a wait for what comes of it."""
    scenario = load_scenario("hostile-bars")
    (actor,) = scenario.actors
    return replace(
        scenario,
        actors=(replace(actor, steps=actor.steps[:1]),),
        host=replace(scenario.host, knobs={"told_bars": told}),
    )


def test_the_documents_table_has_every_hostile_story() -> None:
    text = (ROOT / "docs/races.md").read_text(encoding="utf-8")
    _, table = text.split("## A host that is not trusted")
    told = re.findall(r"`([a-z0-9-]+)`", table)
    assert set(HOSTILE) <= set(told) <= set(built_in_names())


@pytest.mark.parametrize("name", [name for name in HOSTILE if name not in KERNEL_OLDER])
def test_what_a_hostile_host_does_it_does_to_a_confidential_vm(name: str) -> None:
    assert load_scenario(name).guest.isolation == "cvm"


def test_control_messages_that_nobody_asked_for_are_dropped() -> None:
    world = played(load_scenario("hostile-control"))
    log = [text for _, level, text in world.guest.kernel.log_lines if level != "info"]
    assert log == ["Invalid offer 77 from the host"]
    assert list(world.guest.vmbus.channels) == [1]
    assert world.guest.relids_in_use() == {1, 77}  # nobody is to give back what was not taken


def test_a_guest_that_is_not_isolated_takes_any_kind_of_device() -> None:
    scenario = load_scenario("hostile-control")
    (actor,) = scenario.actors
    keyboard = actor.steps[2]  # the offer, without the rescinds behind it
    steps = (*actor.steps[:2], keyboard)
    guest = replace(scenario.guest, isolation="none")
    world = World(replace(scenario, guest=guest, actors=(replace(actor, steps=steps),)))
    assert world.run().violation is None
    assert sorted(world.guest.vmbus.channels) == [1, 77]


def test_lists_that_do_not_fit_their_packet_are_dropped_whatever_their_count() -> None:
    world = played(load_scenario("hostile-counts"))
    reasons = [event.reason for event in events(world, PacketDropped)]
    assert reasons == ["bus relations too small", "bus relations v2 too small"] * 2


def test_an_eject_in_a_slot_that_no_bus_has_removes_another_functions_device() -> None:
    world = played(load_scenario("hostile-slots"), "known", "O29")
    assert not events(world, EjectSent)
    assert len(events(world, PciDevRemoved)) == 1
    hdev = world.guest.device(instance_id("nvme0"))
    assert hdev is not None
    hbus: HvPciBus = hdev.drvdata
    assert [hpdev.desc.win_slot for hpdev in hbus.children] == [SlotNumber(0)]


def test_of_two_functions_in_one_slot_the_eject_takes_one_and_the_next_list_the_other() -> None:
    world = played(load_scenario("hostile-twins"), "known", "O29")
    assert [event.why for event in events(world, ChildRemoved)] == ["eject", "relations"]


def test_a_last_bar_that_is_wide_is_read_beyond_the_array_here_too() -> None:
    scenario = bars_said_to_be("wide-last")
    expect = replace(scenario.expect, known=("O13",))
    played(replace(scenario, expect=expect), "known", "O13")


@pytest.mark.parametrize("told", ["io", "odd"])
def test_flags_and_sizes_that_cannot_be_are_lived_with(told: str) -> None:
    assert events(played(bars_said_to_be(told)), DriverBound)


def test_sizes_that_sum_up_to_nothing_leave_no_room_for_a_bar() -> None:
    world = played(bars_said_to_be("overflowing"))
    assert [event.errno for event in events(world, DriverProbeFailed)] == [-19]


def test_a_size_that_fits_nowhere_ends_the_probe() -> None:
    scenario = bars_said_to_be("huge")
    expect = replace(scenario.expect, verdict="clean", known=("O7",))
    played(replace(scenario, expect=expect), "known", "O7")


def test_an_answer_before_its_time_is_taken_and_the_true_one_is_the_next_requests() -> None:
    world = played(load_scenario("hostile-completions"))
    sizes = [event.packet_bytes for event in events(world, RequestCompleted)]
    assert sizes == [24, 24, 48, 24]  # D0 entry is answered with what was to be said of resources
    dropped = [event.reason for event in events(world, PacketDropped)]
    assert dropped == [f"invalid transaction ID {number:x}" for number in (0, 1, 64, 65, 1)]


def test_an_answer_too_short_for_a_mapping_leaves_none_until_it_is_asked_for_anew() -> None:
    world = played(load_scenario("hostile-interrupt-answer"))
    (failed,) = events(world, MsiNotComposed)
    assert "0xffffffff" in failed.reason
    assert len(events(world, InterruptCreated)) == 4
    assert events(world, DriverBound)


def test_indices_are_checked_before_writing_and_not_before_reading() -> None:
    played(load_scenario("hostile-read-index"))
    played(load_scenario("hostile-write-index"), "known", "O30")


def test_a_length_that_lies_takes_the_reader_past_what_was_written() -> None:
    world = played(load_scenario("hostile-length"), "known", "O38")
    assert len(events(world, PacketDropped)) > 1000


def test_a_device_that_is_offered_again_is_found_under_its_old_number_when_it_is_gone() -> None:
    world = played(load_scenario("hostile-offer-again"), "known", "O39")
    assert [level for _, level, text in world.guest.kernel.log_lines if "offered again" in text]


def test_a_mapping_that_nobody_made_is_believed() -> None:
    played(load_scenario("hostile-mapping"), "known", "O31")


def test_a_block_longer_than_asked_for_is_cut() -> None:
    played(load_scenario("hostile-blocks"))
