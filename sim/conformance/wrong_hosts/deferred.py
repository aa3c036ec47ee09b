# SPDX-License-Identifier: MIT
"""Hosts that are wrong about accesses which their devices put off."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from sim.conformance.host_bench import OTHER_WINDOW
from sim.conformance.host_port import Access, HostUnderTest
from sim.conformance.wrapped import Wrapped
from sim.conformance.wrong_hosts.row import WrongHost

ONES: Final = 0xFFFF_FFFF


class Over(NamedTuple):
    """An access that is over as soon as it is begun."""

    access: Access

    def ended(self) -> bool:
        return True

    def value(self) -> int:
        return self.access.value()


class Given(NamedTuple):
    """A read that gives something else."""

    access: Access
    change: Callable[[int], int]

    def ended(self) -> bool:
        return self.access.ended()

    def value(self) -> int:
        return self.change(self.access.value())


class GoesOn(Wrapped):
    """Lets the processor go on while the device has not answered."""

    def begin_write(self, gpa: int, size: int, value: int) -> Access:
        return Over(super().begin_write(gpa, size, value))


class WritesTwice(Wrapped):
    """Writes at the end what it has written at the beginning already."""

    def begin_write(self, gpa: int, size: int, value: int) -> Access:
        access = super().begin_write(gpa, size, value)
        self.mmio_write(gpa, size, value)
        return access


class StandsStill(Wrapped):
    """Answers nobody while one access goes on."""

    def __init__(self, host: HostUnderTest) -> None:
        super().__init__(host)
        self._begun: list[Access] = []

    def begin_write(self, gpa: int, size: int, value: int) -> Access:
        self._begun.append(super().begin_write(gpa, size, value))
        return self._begun[-1]

    def mmio_read(self, gpa: int, size: int) -> int:
        value = super().mmio_read(gpa, size)
        busy = any(not access.ended() for access in self._begun)
        return ONES if busy and gpa >= OTHER_WINDOW else value


class GivesOtherwise(Wrapped):
    """Answers reads that were put off with something else."""

    def __init__(self, host: HostUnderTest, change: Callable[[int], int]) -> None:
        super().__init__(host)
        self._change = change

    def begin_read(self, gpa: int, size: int) -> Access:
        return Given(super().begin_read(gpa, size), self._change)


def _zero_for_a_value(value: int) -> int:
    return value if value == ONES else 0


def _zero_for_ones(value: int) -> int:
    return 0 if value == ONES else value


ROWS: Final = (
    WrongHost(
        id="goes-on-before-a-write-is-done",
        does="lets a processor go on whose write the device has put off",
        catches=("deferred-write-ends-in-its-time",),
        wrap=GoesOn,
        profile="openvmm",
    ),
    WrongHost(
        id="writes-before-the-device-does",
        does="shows a write that the device has put off",
        catches=("deferred-write-takes-effect-at-its-end",),
        wrap=WritesTwice,
        profile="openvmm",
    ),
    WrongHost(
        id="stands-still-with-one-bus",
        does="answers on no bus while a device of one puts a write off",
        catches=("deferred-write-spares-other-buses",),
        wrap=StandsStill,
        profile="openvmm",
    ),
    WrongHost(
        id="loses-late-answers",
        does="gives zeros for a read that the device answers late",
        catches=("deferred-read-answered-late",),
        wrap=partial(GivesOtherwise, change=_zero_for_a_value),
        profile="openvmm",
    ),
    WrongHost(
        id="zeros-without-an-answer",
        does="gives zeros for a read that the device never answers",
        catches=("unanswered-read-gives-ones",),
        wrap=partial(GivesOtherwise, change=_zero_for_ones),
        profile="openvmm",
    ),
)
