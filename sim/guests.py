# SPDX-License-Identifier: MIT
"""The two kinds of guest, each made in its own way: the reference model, and the real driver.

Whoever plays a world asks for a guest and its memory here and does not know which kind it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

from guest.defects.record import Defect, Mixin, mixins_by_part
from guest.kernel.pages import PhysicalMemory
from guest.parts import with_mixins
from guest.reference import GuestConfig, ReferenceGuest
from guest.wiring import Wiring
from protocol.errors import LocalProtocolError
from sim.scenario import Scenario
from sim.scenario_options import with_whole_offer

if TYPE_CHECKING:
    from guest.native.guest import NativeGuest
    from guest.native.library import Library

Guest: TypeAlias = "ReferenceGuest | NativeGuest"


class Guests(Protocol):
    """Makes guests of one kind for one run; ``driver`` is what options call the kind."""

    driver: str

    def playable(self, scenario: Scenario) -> Scenario:
        """The scenario as this kind of guest can play it."""

    def memory(self) -> PhysicalMemory:
        """The machine's memory, as this kind of guest has it."""

    def guest(self, config: GuestConfig, wiring: Wiring, number: int) -> Guest:
        """One guest, not booted. ``number`` counts the kernels of the machine from 1."""


class ReferenceGuests:
    """The reference model, with these historical bugs, and with what else is put in front of it."""

    driver = "model"

    def __init__(self, defects: Sequence[Defect] = (), *, mixins: Sequence[Mixin] = ()) -> None:
        chosen = mixins_by_part(defects)
        for mixin in mixins:
            chosen[mixin.part] = (mixin.cls, *chosen.get(mixin.part, ()))
        self._parts = with_mixins(chosen)

    def playable(self, scenario: Scenario) -> Scenario:
        """As it is: the model does what it is told."""
        return scenario

    def memory(self) -> PhysicalMemory:
        """Blocks of bytes."""
        return PhysicalMemory()

    def guest(self, config: GuestConfig, wiring: Wiring, number: int) -> ReferenceGuest:
        """A reference guest of the parts that the bugs are in."""
        return ReferenceGuest(config, wiring, number=number, parts=self._parts)


class NativeGuests:
    """The real driver in its library, of which a process has one: a new guest ends the last."""

    driver = "kernel"

    def __init__(self, library: Callable[[], Library]) -> None:
        """``library`` gives the library when a guest is made, as the one that runs."""
        self.library = library

    def playable(self, scenario: Scenario) -> Scenario:
        """With a host that refuses what the guest should not offer: the driver offers all."""
        return with_whole_offer(scenario)

    def memory(self) -> PhysicalMemory:
        """The library's own."""
        from guest.native.guest import NativeMemory  # ctypes, which the model does not need

        return NativeMemory()

    def fresh_library(self, number: int) -> Library:
        """The library, put back to where it was when it had been loaded.

        Raises LocalProtocolError for a second kernel: there is one library, and the first is in it.
        """
        if number > 1:
            raise LocalProtocolError("the real driver's library holds one kernel")
        library = self.library()
        library.call.vx_reset()
        library.ready_for = None
        return library

    def guest(self, config: GuestConfig, wiring: Wiring, number: int) -> NativeGuest:
        """A guest in a fresh library. Raises LocalProtocolError as :meth:`fresh_library`."""
        from guest.native.guest import NativeGuest  # as above

        return NativeGuest(self.fresh_library(number), config, wiring)
