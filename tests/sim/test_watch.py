# SPDX-License-Identifier: MIT
"""Whom an event is about: the bus, and the function on it where the event tells."""

from guest.events import DomainChosen
from guest.kernel.context import Context
from guest.kernel.cpu import Cpu
from guest.pci_core.events import DriverBound
from host.events import ChannelOffered, EjectSent, Rescinded
from protocol.ids import RelId
from sim.watch import Watch

NAMES = ("driver-bound", "eject-sent", "rescinded")


class _NobodyRuns:
    """A scheduler without contexts."""

    def now_ns(self) -> int:
        return 0

    def start(self, context: Context) -> None:
        raise AssertionError(context)

    def goes_on(self, point: str) -> bool:
        raise AssertionError(point)

    def contexts_of(self, cpu: Cpu) -> list[Context]:
        raise AssertionError(cpu)

    def drop(self, context: Context) -> None:
        raise AssertionError(context)

    def wake(self, context: Context) -> None:
        raise AssertionError(context)

    def wake_at(self, context: Context, at_ns: int) -> None:
        raise AssertionError(context, at_ns)


def watch() -> Watch:
    found = Watch(NAMES, _NobodyRuns())
    found.see(ChannelOffered("nic0", RelId(7)))
    found.see(DomainChosen(RelId(7), 0x97B, 0x97B))
    return found


def test_an_event_with_a_slot_is_about_that_function_only() -> None:
    seen = watch()
    seen.see(EjectSent("nic0", 1 << 5))
    assert seen.count("eject-sent") == 1
    assert seen.count_of("eject-sent", "nic0", 1 << 5) == 1
    assert seen.count_of("eject-sent", "nic0", 0) == 0


def test_an_event_with_an_address_is_about_the_function_there() -> None:
    seen = watch()
    seen.see(DriverBound("097b:00:02.1", "nic-vf"))
    assert seen.count_of("driver-bound", "nic0", 2 | 1 << 5) == 1
    assert seen.count_of("driver-bound", "nic0", 0) == 0


def test_an_event_without_a_slot_is_about_every_function_of_its_bus() -> None:
    seen = watch()
    seen.see(Rescinded("nic0", RelId(7)))
    assert [seen.count_of("rescinded", "nic0", slot) for slot in (0, 32)] == [1, 1]
    assert seen.count_of("rescinded", "nic1", 0) == 0
