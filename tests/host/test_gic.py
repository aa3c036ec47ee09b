# SPDX-License-Identifier: MIT
"""The distributor that the hypervisor keeps: who is interrupted, when, and by what."""

from __future__ import annotations

import pytest

from host.gic import Distributor
from protocol.gic import (
    GICD_ICACTIVER,
    GICD_ICENABLER,
    GICD_ICPENDR,
    GICD_ISACTIVER,
    GICD_ISENABLER,
    GICD_ISPENDR,
    SPI_LAST,
    SPURIOUS_INTID,
    affinity_of,
    bit_of,
    route_of,
    word_of,
)
from protocol.ids import Vector, VpIndex

ZERO, FIVE, FAR = VpIndex(0), VpIndex(5), VpIndex(17)
SPI, OTHER = Vector(300), Vector(301)


class Machine:
    """A distributor, and the lines that it raised."""

    def __init__(self) -> None:
        self.raised: list[tuple[VpIndex, Vector]] = []
        self.gic = Distributor((ZERO, FIVE, FAR), lambda vp, spi: self.raised.append((vp, spi)))

    def poke(self, register: int, spi: int = SPI) -> None:
        assert self.gic.write(word_of(register, spi), 4, bit_of(spi)) == 0

    def peek(self, register: int, spi: int = SPI) -> bool:
        return bool(self.gic.read(word_of(register, spi), 4) & bit_of(spi))

    def route(self, vp: VpIndex, spi: int = SPI) -> None:
        self.gic.write(route_of(spi), 8, affinity_of(vp))

    def come(self, spi: Vector = SPI) -> None:
        self.gic.arrive(ZERO, spi)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_an_spi_goes_where_its_route_says_and_not_where_it_was_meant_to(machine: Machine) -> None:
    machine.route(FAR)
    machine.poke(GICD_ISENABLER)
    machine.come()
    assert machine.raised == [(FAR, SPI)]
    assert machine.gic.acknowledge(FAR) == SPI


def test_out_of_reset_all_is_disabled_and_goes_to_the_first_processor(machine: Machine) -> None:
    machine.come()
    assert machine.raised == []
    assert machine.peek(GICD_ISPENDR)
    assert machine.gic.read(route_of(SPI), 8) == affinity_of(ZERO)


def test_what_came_while_it_was_disabled_comes_in_when_it_is_enabled(machine: Machine) -> None:
    machine.come()
    machine.poke(GICD_ISENABLER)
    assert machine.raised == [(ZERO, SPI)]


def test_two_edges_before_anybody_looks_are_one(machine: Machine) -> None:
    machine.poke(GICD_ISENABLER)
    machine.come()
    machine.come()
    assert machine.raised == [(ZERO, SPI)]
    assert machine.gic.acknowledge(ZERO) == SPI
    assert machine.gic.acknowledge(ZERO) == SPURIOUS_INTID


def test_one_that_is_being_handled_waits_for_its_end(machine: Machine) -> None:
    machine.poke(GICD_ISENABLER)
    machine.come()
    machine.gic.acknowledge(ZERO)
    machine.come()
    machine.route(FIVE)
    assert machine.raised == [(ZERO, SPI)]
    machine.gic.end(SPI)
    assert machine.raised == [(ZERO, SPI), (FIVE, SPI)]


def test_one_that_is_masked_before_the_processor_looks_is_withdrawn(machine: Machine) -> None:
    machine.poke(GICD_ISENABLER)
    machine.come()
    machine.poke(GICD_ICENABLER)
    assert machine.gic.acknowledge(ZERO) == SPURIOUS_INTID
    machine.poke(GICD_ISENABLER)
    assert machine.raised == [(ZERO, SPI)] * 2
    assert machine.gic.acknowledge(ZERO) == SPI


def test_a_processor_that_never_looked_is_interrupted_again_by_who_enables_it(
    machine: Machine,
) -> None:
    # A kernel has crashed between the two, and the next one does not know what is pending.
    machine.poke(GICD_ISENABLER)
    machine.come()
    machine.poke(GICD_ICENABLER)
    machine.poke(GICD_ISENABLER)
    assert machine.raised == [(ZERO, SPI)] * 2
    assert [machine.gic.acknowledge(ZERO) for _ in range(2)] == [SPI, SPURIOUS_INTID]


def test_one_that_is_rerouted_before_the_processor_looks_goes_elsewhere(machine: Machine) -> None:
    machine.poke(GICD_ISENABLER)
    machine.come()
    machine.route(FIVE)
    assert machine.raised == [(ZERO, SPI), (FIVE, SPI)]
    assert machine.gic.acknowledge(ZERO) == SPURIOUS_INTID
    assert machine.gic.acknowledge(FIVE) == SPI


def test_one_that_is_taken_back_before_the_processor_looks_is_none(machine: Machine) -> None:
    machine.poke(GICD_ISENABLER)
    machine.come()
    machine.poke(GICD_ICPENDR)
    assert machine.gic.acknowledge(ZERO) == SPURIOUS_INTID


def test_of_two_that_wait_the_lower_number_is_first(machine: Machine) -> None:
    for spi in (OTHER, SPI):
        machine.poke(GICD_ISENABLER, spi)
        machine.come(spi)
    looks = [machine.gic.acknowledge(ZERO) for _ in range(3)]
    assert looks == [SPI, OTHER, SPURIOUS_INTID]


def test_a_route_to_nobody_is_kept_and_nothing_comes_in(machine: Machine) -> None:
    machine.route(VpIndex(9))
    machine.poke(GICD_ISENABLER)
    machine.come()
    assert machine.raised == []
    machine.route(FIVE)
    assert machine.raised == [(FIVE, SPI)]


def test_a_machine_that_was_off_begins_anew(machine: Machine) -> None:
    machine.route(FIVE)
    machine.poke(GICD_ISENABLER)
    machine.come()
    machine.gic.reset()
    assert machine.gic.acknowledge(FIVE) == SPURIOUS_INTID
    assert not machine.peek(GICD_ISENABLER)
    assert machine.gic.read(route_of(SPI), 8) == affinity_of(ZERO)
    machine.come()
    machine.poke(GICD_ISENABLER)
    assert machine.raised == [(FIVE, SPI), (ZERO, SPI)]


@pytest.mark.parametrize(
    ("sets", "clears"),
    [
        (GICD_ISENABLER, GICD_ICENABLER),
        (GICD_ISPENDR, GICD_ICPENDR),
        (GICD_ISACTIVER, GICD_ICACTIVER),
    ],
)
def test_registers_of_a_pair_set_and_clear_one_bit_and_read_alike(
    machine: Machine, sets: int, clears: int
) -> None:
    machine.poke(sets)
    machine.poke(sets, SPI_LAST)
    assert machine.peek(sets)
    assert machine.peek(clears)
    machine.gic.write(word_of(clears, SPI), 4, 0)
    assert machine.peek(sets)
    machine.poke(clears)
    assert not machine.peek(sets)
    assert machine.peek(sets, SPI_LAST)


def test_what_is_no_spi_and_no_register_is_left_alone(machine: Machine) -> None:
    for offset in (GICD_ISENABLER, route_of(31), route_of(SPI_LAST + 1), 0x0, 0xFFFC):
        assert machine.gic.write(offset, 4, 0xFFFF_FFFF) == 0
        assert machine.gic.read(offset, 4) == 0
