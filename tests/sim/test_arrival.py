# SPDX-License-Identifier: MIT
"""A device's arrival, row by row as the wire notes have it, at each version."""

from typing import NamedTuple

import pytest
from msgspec.structs import replace

from protocol.hypercall import HVCALL_RETARGET_INTERRUPT
from protocol.link import ConfigWritten, HypercallMade, PacketPublished
from protocol.pci_regs import PCI_COMMAND, PCI_COMMAND_MEMORY
from sim.messages import Message
from sim.report.lane_rows import TO_HOST, rows_of
from sim.result import RunResult
from sim.scenario_reader import load_scenario
from sim.world import play

TO_GUEST = "host-to-guest"


class Expected(NamedTuple):
    """One row: payload bytes by version 1.1 to 1.4, and whether a completion is asked for."""

    direction: str
    names: tuple[str, str, str, str]
    sizes: tuple[int, int, int, int]
    wants_completion: bool


def _same(name: str) -> tuple[str, str, str, str]:
    return (name, name, name, name)


# Wire notes, section 2, rows 1 to 6 and 8; rows 7 and 9 are no messages.
ROWS = (
    Expected(TO_HOST, _same("PCI_QUERY_PROTOCOL_VERSION"), (8, 8, 8, 8), True),
    Expected(TO_HOST, _same("PCI_QUERY_BUS_RELATIONS"), (4, 4, 4, 4), False),
    Expected(
        TO_GUEST,
        ("PCI_BUS_RELATIONS", "PCI_BUS_RELATIONS", "PCI_BUS_RELATIONS2", "PCI_BUS_RELATIONS2"),
        (8 + 20, 8 + 20, 8 + 28, 8 + 28),
        False,
    ),
    Expected(TO_HOST, _same("PCI_QUERY_RESOURCE_REQUIREMENTS"), (8, 8, 8, 8), True),
    Expected(TO_HOST, _same("PCI_BUS_D0ENTRY"), (16, 16, 16, 16), True),
    Expected(
        TO_HOST,
        ("PCI_RESOURCES_ASSIGNED", *("PCI_RESOURCES_ASSIGNED2",) * 3),
        (148, 202, 202, 202),
        True,
    ),
    Expected(
        TO_HOST,
        (
            "PCI_CREATE_INTERRUPT_MESSAGE",
            "PCI_CREATE_INTERRUPT_MESSAGE2",
            "PCI_CREATE_INTERRUPT_MESSAGE2",
            "PCI_CREATE_INTERRUPT_MESSAGE3",
        ),
        (24, 78, 78, 82),
        True,
    ),
)
VERSIONS = ("1.1", "1.2", "1.3", "1.4")


def arrival(version: str) -> RunResult:
    scenario = load_scenario("arrival")
    return play(replace(scenario, guest=replace(scenario.guest, protocol=(version,))))


def on_the_bus(result: RunResult) -> list[Message]:
    """Each message of the bus once, in the order of its first coming; completions left out."""
    seen: dict[str, Message] = {}
    for message in result.messages:
        if message.channel is not None and message.name != "VM_PKT_COMP":
            seen.setdefault(message.name, message)
    return [m for name, m in seen.items() if not name.startswith("PCI_DELETE_INTERRUPT")]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_messages_come_in_the_order_and_sizes_of_the_wire_notes(version: str) -> None:
    column = VERSIONS.index(version)
    messages = on_the_bus(arrival(version))
    assert [(m.direction, m.name, m.size) for m in messages] == [
        (row.direction, row.names[column], row.sizes[column]) for row in ROWS
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_completions_are_asked_for_where_the_wire_notes_say_so(version: str) -> None:
    result = arrival(version)
    flags = {
        message.name: packet.flags
        for message in on_the_bus(result)
        for packet in [result.trace[message.seq].event]
        if isinstance(packet, PacketPublished)
    }
    column = VERSIONS.index(version)
    assert flags == {row.names[column]: int(row.wants_completion) for row in ROWS}
    answered = {m.answers for m in result.messages if m.answers is not None}
    assert answered == {row.names[column] for row in ROWS if row.wants_completion}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_picture_has_a_row_for_each_of_them(version: str) -> None:
    result = arrival(version)
    drawn = [row for row in rows_of(result.trace) if row.direction]
    for message in on_the_bus(result):
        (row,) = [row for row in drawn if row.seq == message.seq]
        assert row.message.startswith(f"{message.name} {message.size}")
        assert row.direction == message.direction


@pytest.mark.parametrize("version", VERSIONS)
def test_configuration_traffic_comes_before_interrupts_and_begins_with_memory_off(
    version: str,
) -> None:
    result = arrival(version)
    first_write = next(s for s in result.trace if isinstance(s.event, ConfigWritten))
    assert isinstance(first_write.event, ConfigWritten)
    assert first_write.event.offset == PCI_COMMAND
    assert not first_write.event.value & PCI_COMMAND_MEMORY
    order = {message.name: message.seq for message in on_the_bus(result)}
    *_, assigned, create = order.values()
    assert assigned < first_write.seq < create


@pytest.mark.parametrize("version", VERSIONS)
def test_interrupts_are_retargeted_after_their_creation(version: str) -> None:
    result = arrival(version)
    create = on_the_bus(result)[-1].seq
    retargets = [
        stamped.seq
        for stamped in result.trace
        if isinstance(stamped.event, HypercallMade)
        and stamped.event.code == HVCALL_RETARGET_INTERRUPT
    ]
    assert retargets
    assert min(retargets) > create
