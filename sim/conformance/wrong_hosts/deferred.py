# SPDX-License-Identifier: MIT
"""Hosts that are wrong about accesses which their devices put off."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from sim.conformance.host_bench import OTHER_WINDOW
from sim.conformance.host_port import Access, Channel, HostUnderTest
from sim.conformance.wrapped import Wrapped
from sim.conformance.wrong_hosts.row import WrongHost

ONES: Final = 0xFFFF_FFFF
EARLY_NS: Final = 3_900_000_000  # than what is put off for four seconds
LATE_NS: Final = 4_100_000_000
OF_WRITES: Final = ("deferred-write-ends-in-its-time", "deferred-write-takes-effect-at-its-end")


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


class Remembers(Wrapped):
    """Knows whether a write goes on."""

    def __init__(self, host: HostUnderTest) -> None:
        super().__init__(host)
        self._begun: list[Access] = []

    def begin_write(self, gpa: int, size: int, value: int) -> Access:
        self._begun.append(super().begin_write(gpa, size, value))
        return self._begun[-1]

    def busy(self) -> bool:
        return any(not access.ended() for access in self._begun)


class StandsStill(Remembers):
    """Answers nobody while one access goes on."""

    def mmio_read(self, gpa: int, size: int) -> int:
        value = super().mmio_read(gpa, size)
        return ONES if self.busy() and gpa >= OTHER_WINDOW else value


class HearsNobody(Remembers):
    """What is sent while a write goes on is lost."""

    def send(
        self, channel: Channel, packet_type: int, flags: int, transaction_id: int, payload: bytes
    ) -> None:
        if not self.busy():
            super().send(channel, packet_type, flags, transaction_id, payload)


class Untimely(Wrapped):
    """Accesses of one kind take another time than the device's."""

    def __init__(self, host: HostUnderTest, kind: str, takes_ns: int) -> None:
        super().__init__(host)
        self._kind = kind
        self._takes_ns = takes_ns

    def order(self, what: str, channel: Channel, **arguments: int | str | tuple[int, ...]) -> None:
        if arguments.get("kind") == self._kind and arguments["for_ns"]:
            arguments["for_ns"] = self._takes_ns
        super().order(what, channel, **arguments)


class GivesUpAtOnce(Wrapped):
    """Whoever reads what a device never answers need not wait."""

    _silent = False

    def order(self, what: str, channel: Channel, **arguments: int | str | tuple[int, ...]) -> None:
        self._silent = arguments.get("for_ns") == 0
        super().order(what, channel, **arguments)

    def begin_read(self, gpa: int, size: int) -> Access:
        access = super().begin_read(gpa, size)
        return Given(Over(access), lambda _: ONES) if self._silent else access


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
    WrongHost(
        id="hears-nobody-while-a-write-waits",
        does="reads no ring while a device puts a write off",
        catches=("deferred-write-spares-other-buses",),
        wrap=HearsNobody,
        profile="openvmm",
    ),
    WrongHost(
        id="ends-writes-early",
        does="ends a write that was put off before its time",
        catches=OF_WRITES,
        wrap=partial(Untimely, kind="write", takes_ns=EARLY_NS),
        profile="openvmm",
    ),
    WrongHost(
        id="ends-writes-late",
        does="ends a write that was put off after its time",
        catches=OF_WRITES,
        wrap=partial(Untimely, kind="write", takes_ns=LATE_NS),
        profile="openvmm",
    ),
    WrongHost(
        id="ends-reads-early",
        does="ends a read that was put off before its time",
        catches=("deferred-read-answered-late",),
        wrap=partial(Untimely, kind="read", takes_ns=EARLY_NS),
        profile="openvmm",
    ),
    WrongHost(
        id="ends-reads-late",
        does="ends a read that was put off after its time",
        catches=("deferred-read-answered-late",),
        wrap=partial(Untimely, kind="read", takes_ns=LATE_NS),
        profile="openvmm",
    ),
    WrongHost(
        id="gives-devices-up-at-once",
        does="gives ones at once for a read that the device never answers",
        catches=("unanswered-read-gives-ones",),
        wrap=GivesUpAtOnce,
        profile="openvmm",
    ),
)
