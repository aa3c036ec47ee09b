# SPDX-License-Identifier: MIT
"""What the stories on arm64 show: SPIs, routes, vectors above 255, and who is told of coherency."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace

from guest.events import MsiComposed, MsiNotComposed
from guest.kernel.irq_events import (
    InterruptHandled,
    InterruptRequested,
    InterruptShutDown,
    SpiFreed,
    SpiRouted,
    SpisAllocated,
)
from guest.pci_core.events import DmaConfigured, DriverBound, DriverProbeFailed
from host.events import InterruptRaised
from protocol.gic import GICD_BASE, GICD_ISENABLER, word_of
from protocol.hypercall import HVCALL_RETARGET_INTERRUPT
from protocol.link import HypercallMade, InterruptDelivered, PacketPublished
from protocol.vpci import MessageType, PciCreateInterrupt3, message_type
from sim.oracles.judge import judge
from sim.oracles.laws import LAWS
from sim.scenario_reader import load_scenario
from sim.world import World

T = TypeVar("T")
CREATE3 = MessageType.PCI_CREATE_INTERRUPT_MESSAGE3


@cache
def played(name: str, protocol: str = "", vmbus_cca: str = "") -> World:
    """A built-in, played in natural order, perhaps at another version or on another platform."""
    scenario = load_scenario(name)
    changes: dict[str, Any] = {"protocol": (protocol,)} if protocol else {}
    if vmbus_cca:
        changes["vmbus_cca"] = vmbus_cca
    world = World(replace(scenario, guest=replace(scenario.guest, **changes)))
    world.run()
    return world


def events(world: World, kind: type[T]) -> list[T]:
    return [stamped.event for stamped in world.trace() if isinstance(stamped.event, kind)]


def asked(world: World) -> list[PciCreateInterrupt3]:
    """The requests for interrupts, as they were on the wire."""
    published = (packet.payload for packet in events(world, PacketPublished))
    return [
        PciCreateInterrupt3.parse(payload) for payload in published
        if len(payload) >= 4 and message_type(payload) == CREATE3
    ]  # fmt: skip


@pytest.mark.wire_note("7.8a")
def test_nothing_is_aimed_by_hypercall() -> None:
    made = events(played("arm64-arrival"), HypercallMade)
    assert made
    assert HVCALL_RETARGET_INTERRUPT not in {call.code for call in made}


def test_each_interrupt_is_asked_for_once_by_its_spi_and_for_the_first_processor() -> None:
    world = played("arm64-affinity")
    spis = [event.spi for event in events(world, SpisAllocated)]
    assert [request.int_desc.vector for request in asked(world)] == spis
    assert {request.int_desc.processor_array[0] for request in asked(world)} == {3}


def test_interrupts_are_handled_where_they_are_routed_as_long_as_they_are() -> None:
    world = played("arm64-affinity")
    (first, *_) = {event.irq for event in events(world, InterruptHandled)}
    cpus = [event.cpu for event in events(world, SpiRouted) if event.irq == first]
    assert cpus == [0, 2, 3, 0]
    handled = [event.cpu for event in events(world, InterruptHandled) if event.irq == first]
    assert set(handled) == {0, 2, 3}


def test_vectors_above_255_arrive_at_version_1_4() -> None:
    world = played("arm64-many-vectors")
    composed = [event.vector for event in events(world, MsiComposed)]
    assert composed == list(range(64, 64 + 129 + 70))
    assert {*composed} == {event.vector for event in events(world, InterruptDelivered)}
    assert len(events(world, DriverBound)) == 2


@pytest.mark.parametrize("protocol", ["1.3", "1.1"])
def test_before_version_1_4_they_are_cut_and_lost_in_three_ways(protocol: str) -> None:
    world = played("arm64-vectors-cut", protocol)
    spi_of = {event.irq: event.spi for event in events(world, SpisAllocated)}
    refused = [spi_of[event.irq] for event in events(world, MsiNotComposed)]
    assert refused == list(range(256, 288)), "cut to 0 to 31, which are no SPIs"
    composed = {spi_of[event.irq] for event in events(world, MsiComposed)}
    assert {*range(288, 322)} < composed, "cut to 32 to 63, which nobody has, and to 64 and 65"
    delivered = Counter(int(event.vector) for event in events(world, InterruptDelivered))
    assert max(delivered) == 255
    assert delivered[64] == delivered[65] == 2, "the first SSD's, once for the second's last two"
    assert delivered[66] == 1
    failed = events(world, DriverProbeFailed)
    assert [event.errno for event in failed] == [-5]


def test_a_multi_msi_block_raises_spis_that_nobody_has() -> None:
    world = played("arm64-multi-msi")
    assert events(world, SpisAllocated) == [SpisAllocated(24, 64, 4)]
    assert [event.vector for event in events(world, MsiComposed)] == [32, 33, 34, 35]
    assert len(events(world, InterruptRaised)) == 4
    assert events(world, InterruptDelivered) == []


def test_a_driver_that_gives_up_leaves_its_spis_disabled() -> None:
    read = played("arm64-multi-msi").partition.mmio_read
    assert read(GICD_BASE + word_of(GICD_ISENABLER, 64), 4) == 0


def test_an_ejected_devices_spis_are_the_next_ones() -> None:
    world = played("arm64-eject-in-use")
    freed = [event.spi for event in events(world, SpiFreed)]
    assert freed == [64, 65]
    assert [event.spi for event in events(world, SpisAllocated)] == [64, 65, 64, 65]


def test_after_hibernation_only_spis_that_were_taken_anew_are_enabled() -> None:
    world = played("arm64-hibernate")
    enabled = world.partition.mmio_read(GICD_BASE + word_of(GICD_ISENABLER, 64), 4)
    assert enabled == 0b0011, "those of the driver that freed its own"
    assert [event.irq for event in events(world, InterruptHandled)][-2:] == [24, 25]


def test_spis_leave_with_a_cpu_and_managed_ones_come_back_with_it() -> None:
    world = played("arm64-cpus")
    managed = [(event.irq, event.cpu) for event in events(world, SpiRouted) if event.irq < 28]
    assert managed == [*((24 + cpu, cpu) for cpu in range(4)), (26, 2), (27, 3)]
    assert [event.irq for event in events(world, InterruptShutDown)] == [27, 26]
    moved = [event.cpu for event in events(world, SpiRouted) if event.irq == 29]
    assert moved == [0, 3, 0]


def test_every_interrupt_is_on_the_physical_cpu_of_the_first_processor() -> None:
    # The host chooses by the processor in the create message, and that is always the first.
    loads = played("arm64-arrival").partition.hypervisor.pcpu_loads
    assert loads == (4, 0)


def test_the_last_devices_find_fewer_spis_and_none() -> None:
    world = played("arm64-spis-exhausted")
    requested = events(world, InterruptRequested)
    shares = Counter(event.name.partition("-")[0] for event in requested)
    assert sorted(shares.values()) == [53, *[129] * 7]
    assert [event.errno for event in events(world, DriverProbeFailed)] == [-28]


@pytest.mark.parametrize(
    ("vmbus_cca", "coherent"), [("absent", True), ("coherent", True), ("non-coherent", False)]
)
def test_a_function_is_as_coherent_as_vmbus(vmbus_cca: str, coherent: bool) -> None:
    world = played("arm64-not-coherent", vmbus_cca=vmbus_cca)
    (told,) = events(world, DmaConfigured)
    assert told.coherent is coherent
    (dev,) = world.guest.pci.devices.values()
    assert dev.coherent_dma is coherent


def test_on_x86_nobody_asks() -> None:
    world = played("arrival", vmbus_cca="non-coherent")
    assert events(world, DmaConfigured) == []
    (dev,) = world.guest.pci.devices.values()
    assert dev.coherent_dma


def test_the_laws_find_a_route_that_names_another_processor() -> None:
    # As a guest would that took CPU numbers for VP numbers.
    scenario = load_scenario("arm64-affinity")
    world = World(scenario)
    cpus = world.guest.kernel.cpus
    world.run()
    happened = [
        (stamped.at_ns, stamped.context, _misrouted(stamped.event, cpus))
        for stamped in world.trace()
    ]
    violation = judge(happened, None, laws=LAWS).violation
    assert violation is not None
    assert "came in on VP" in violation.message


def _misrouted(event: object, cpus: Any) -> object:
    if isinstance(event, SpiRouted):
        return SpiRouted(event.irq, event.spi, event.cpu, int(cpus[event.cpu].index))
    return event
