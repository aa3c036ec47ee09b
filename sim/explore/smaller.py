# SPDX-License-Identifier: MIT
"""Whether a smaller scenario still tells the story of one failure, and in which delays.

It must be a scenario that anybody could have written: read without a mistake, played to its end in
natural order, and passed by a driver without the historical bugs, also in the order that fails.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from sim.distinct import mistake_of
from sim.explore.delays import Delay
from sim.explore.named import NATURAL, Named, waits_of
from sim.explore.profile import profile_of
from sim.explore.until import IDLE
from sim.labels import function_of
from sim.player import outcome
from sim.scenario import ScenarioError
from sim.setup import Lab, Setup
from sim.violation import Violation


class Smaller:
    """Asked with texts, each smaller than the last that failed.

    ``named`` is the schedule in the words of the smallest scenario that has failed so far.
    ``sound`` says whether the scenario that it begins with is one in which others can be judged.
    """

    def __init__(self, setup: Setup, named: Named, wanted: Violation, most: int) -> None:
        self._setup = setup
        self._wanted = mistake_of(wanted)
        self._left = most
        self.named = named
        self.sound = self._is_sound(Lab(setup), named)

    def fails(self, text: str) -> bool:
        """Whether this scenario ends in the same violation; False once there were too many."""
        if self._left <= 0:
            return False
        try:
            lab = Lab(replace(self._setup, text=text))
            found = next(filter(lambda named: self._fails(lab, named), self._names(lab)), None)
            if found is None or not self._is_sound(lab, found):
                return False
        except (ScenarioError, ValueError):  # not a scenario, or no partition can be made of it
            return False
        self.named = found
        return True

    def _fails(self, lab: Lab, named: Named) -> bool:
        self._left -= 1
        violation = outcome(lab.world(named.chooser()))[0].violation
        return violation is not None and mistake_of(violation) == self._wanted

    def _names(self, lab: Lab) -> Iterator[Named]:
        """The schedule as it is; then, if it is one delay, that delay of contexts named alike.

        Names hold numbers, and with fewer steps before them contexts have lower ones.
        """
        yield self.named
        if len(self.named.delays) == 1:
            (delay,) = self.named.delays
            function = function_of(delay.context)
            profile = profile_of(lambda chooser: outcome(lab.world(chooser)))
            for wait in waits_of(profile.moments):
                stop = wait.stop
                if function_of(stop.context) == function and stop.point == delay.point:
                    for until in (delay.until, IDLE):
                        yield replace(self.named, delays=(Delay(*stop, until),))

    def _is_sound(self, lab: Lab, named: Named) -> bool:
        """Whether nothing is wrong with it but what is looked for."""
        self._left -= 2
        natural, unplayed = outcome(lab.world(NATURAL.chooser(), defects=()))
        if unplayed is not None:
            return False
        if not lab.setup.defects:
            return natural.violation is None or named == NATURAL
        shrunk, _ = outcome(lab.world(named.chooser(), defects=()))
        return natural.violation is None and shrunk.violation is None
