# SPDX-License-Identifier: MIT
"""A tree that no distribution has packed yet: mainline, where a machine has one.

Played with one between 7.0 and 7.1-rc1; the rows are what was seen there. ``docs/findings.md`` has
the reasons of the violations.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sim.guests import NativeGuests
from sim.native import built, loaded
from sim.real_driver import DIFFERENCES
from tests.guest.native.playing import PLAYABLE, story
from tests.kernel_trees import mainline_tree

# Where natural order ends otherwise than on the reference guest, which is of 6.12.
OTHERWISE: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = MappingProxyType(
    {
        # Interrupts on the chip of each device, since 6.17.
        "hibernate-multi-msi": ("violation", ()),
        "hibernate-then-unbind": ("violation", ()),
        "offline-interrupts-move": ("violation", ()),
        # VMBus waits at boot for all offers, so that its drivers find the devices there.
        "hostile-read-index": ("known", ("O10",)),
        "unbind-during-probe": ("clean", ()),
    }
)


def test_each_story_ends_as_on_the_reference_guest_or_has_its_row() -> None:
    library = loaded(built(str(mainline_tree()), None).shared_object)
    guests = NativeGuests(lambda: library)
    others = {}
    for name in PLAYABLE:
        theirs, ours = story(name, guests), story(name, None)
        if name not in DIFFERENCES and (theirs.verdict, theirs.known) != (ours.verdict, ours.known):
            others[name] = theirs.verdict, theirs.known
    assert others == OTHERWISE
