# SPDX-License-Identifier: MIT
"""The lives of guests that cases are judged by: one in each world, for all the cases about it.

Nothing that a case reads can be changed by reading it, so cases whose hosts play the same see the
same. Knows no check.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from sim.conformance.case import GuestCase, NotOffered
from sim.conformance.guest_play import Played, comes_up, play
from sim.guests import Guests


class WorldKey(NamedTuple):
    """What is played, to guests of one kind by a host of one profile."""

    scenario: str
    offers: str
    version: str


def world_of(case: GuestCase, version: str) -> WorldKey:
    """The world of a case: those with the same one are judged by one life in it."""
    return WorldKey(case.scenario, case.offers, version)


class Lives:
    """The lives of guests of one kind, opposite a host of one profile.

    ``planned`` are all the cases that will ask for one, each with its version: a life is kept until
    the last of its cases has asked. A case that was not planned gets a life of its own.
    """

    def __init__(
        self, planned: Iterable[tuple[GuestCase, str]], profile: str, guests: Guests | None
    ) -> None:
        self._profile = profile
        self._guests = guests
        self._asking = Counter(world_of(case, version) for case, version in planned)
        self._kept: dict[WorldKey, Played | str] = {}
        self._come_up: dict[str, bool] = {}  # by version

    def life_for(self, case: GuestCase, version: str) -> Played:
        """The life that the case is judged by. Raises NotOffered, PeerFault as ``play`` does.

        NotOffered, too, where the guest stops on the way to where the case begins, if it does so
        where nothing else is asked of it: the ``must`` cases about coming up wait for nothing.
        """
        world = world_of(case, version)
        self._asking[world] -= 1
        life = self._kept.pop(world, None)
        if life is None:
            life = self._lived(case, version)
        if self._asking[world] > 0:
            self._kept[world] = life
        if isinstance(life, str):
            raise NotOffered(life)
        return life

    def _lived(self, case: GuestCase, version: str) -> Played | str:
        """A life, or why there is none."""
        try:
            life = play(case, version, profile=self._profile, guests=self._guests)
        except NotOffered as missing:
            return str(missing)
        if life.stopped is not None and not self._comes_up(case, version):
            return life.stopped
        return life

    def _comes_up(self, case: GuestCase, version: str) -> bool:
        """Tried once for each version, with the first case that needs to know."""
        if version not in self._come_up:
            self._come_up[version] = comes_up(
                case, version, profile=self._profile, guests=self._guests
            )
        return self._come_up[version]
