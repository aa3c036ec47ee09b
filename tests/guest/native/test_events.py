# SPDX-License-Identifier: MIT
"""What the real driver tells in natural order is what the reference guest tells, event by event."""

import pytest

from guest import events as guest_events
from guest.kernel import irq_events
from guest.native.library import Library
from guest.native.telling import TOLD
from guest.pci_core import events as pci_events
from sim.scenario_reader import find_scenario, parse_scenario
from sim.world import World
from tests.guest.native.playing import Fate, events, played

# How interrupts are set up differs: the real PCI core asks for messages more often.
OF_INTERRUPTS = {
    *(guest_events.MsiComposed, guest_events.MsiFreed, guest_events.MsiRetargeted),
    *(guest_events.RequestCompleted, pci_events.BarAssigned),
    *(kind for kind in TOLD if kind.__module__ == irq_events.__name__),
}
STORIES = (
    *("eject-idle", "rescind-during-probe", "unload", "relations-shrink", "multi-function"),
    *("config-blocks", "d0-refused-twice", "version-refused"),
)
# Nothing calls it while no CPU can go, so that the linker leaves it out.
NOT_LINKED = {"irq_shutdown_and_deactivate"}


def _told(world: World) -> list[object]:
    return [
        event for event in events(world) if type(event) in TOLD and type(event) not in OF_INTERRUPTS
    ]


def _model(name: str) -> World:
    path = find_scenario(name)
    text = path.read_text(encoding="utf-8")
    world = World(parse_scenario(text, source=name, folder=path.parent), lates=0)
    world.run()
    return world


@pytest.mark.parametrize("name", STORIES)
def test_both_guests_tell_the_same_story(library: Library, name: str) -> None:
    world, _ = played(library, name)
    assert _told(world) == _told(_model(name))


def test_every_function_that_is_watched_is_there(library: Library) -> None:
    missing: list[str] = []
    while (name := library.call.vx_next_missing(len(missing))) is not None:
        missing.append(name.decode())
    assert set(missing) <= NOT_LINKED


def test_each_interrupt_that_a_device_raises_is_told_to_have_been_handled(library: Library) -> None:
    world, _ = played(library, "arrival")
    told = events(world)
    composed = {event.irq for event in told if isinstance(event, guest_events.MsiComposed)}
    handled = {event.irq for event in told if isinstance(event, irq_events.InterruptHandled)}
    assert handled == composed


def test_a_message_that_could_not_be_had_is_told_with_its_reason(library: Library) -> None:
    fate = Fate("allocation-failure", "IntDesc")
    world, _ = played(library, "arrival", "allocation-failure", fate=fate)
    reasons = [
        event.reason for event in events(world) if isinstance(event, guest_events.MsiNotComposed)
    ]
    assert set(reasons) == {"out of memory"}


def test_a_packet_that_is_dropped_is_told_in_the_drivers_words(library: Library) -> None:
    world, _ = played(library, "hostile-counts")
    dropped = [event for event in events(world) if isinstance(event, guest_events.PacketDropped)]
    assert any("bus relations" in event.reason for event in dropped)


def test_a_use_after_free_that_an_open_item_tells_of_is_known(library: Library) -> None:
    _, verdict = played(library, "hibernate-rescind")
    assert (verdict.verdict, verdict.violation) == ("known", None)
    assert "O33" in verdict.known
