# SPDX-License-Identifier: MIT
"""The arrival sequence, message by message, against the wire notes' table (section 2).

The table is written out here from the notes, not taken from the code under test.
"""

from __future__ import annotations

import pytest

from guest.events import BusStateChanged, ChildAdded, ChildRemoved, RelationsProcessed
from protocol.link import ConfigRead, ConfigWritten, HypercallMade, PacketPublished
from protocol.vmbus import VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED as COMPLETION
from sim.messages import Message, messages_of
from sim.result import RunResult
from sim.scenario_reader import load_scenario
from sim.world import play
from tests.sim.test_world import as_asked

TO_HOST, TO_GUEST = "guest-to-host", "host-to-guest"
RETARGET = 0x7E

# What a version changes: the list of relations, and the forms of assigned and create.
RELATIONS = {
    "1.1": ("PCI_BUS_RELATIONS", 8 + 20),
    "1.2": ("PCI_BUS_RELATIONS", 8 + 20),
    "1.3": ("PCI_BUS_RELATIONS2", 8 + 28),
    "1.4": ("PCI_BUS_RELATIONS2", 8 + 28),
}
ASSIGNED = {
    "1.1": ("PCI_RESOURCES_ASSIGNED", 148),
    "1.2": ("PCI_RESOURCES_ASSIGNED2", 202),
    "1.3": ("PCI_RESOURCES_ASSIGNED2", 202),
    "1.4": ("PCI_RESOURCES_ASSIGNED2", 202),
}
CREATE = {
    "1.1": ("PCI_CREATE_INTERRUPT_MESSAGE", 24),
    "1.2": ("PCI_CREATE_INTERRUPT_MESSAGE2", 78),
    "1.3": ("PCI_CREATE_INTERRUPT_MESSAGE2", 78),
    "1.4": ("PCI_CREATE_INTERRUPT_MESSAGE3", 82),
}
VERSIONS = ("1.1", "1.2", "1.3", "1.4")

CONTROL_PLANE = [
    (TO_HOST, "INITIATE_CONTACT", 40),
    (TO_GUEST, "VERSION_RESPONSE", 16),
    (TO_HOST, "REQUESTOFFERS", 8),
    (TO_GUEST, "OFFERCHANNEL", 196),
    (TO_GUEST, "ALLOFFERS_DELIVERED", 8),
    (TO_HOST, "GPADL_HEADER", 108),
    (TO_GUEST, "GPADL_CREATED", 20),
    (TO_HOST, "OPENCHANNEL", 148),
    (TO_GUEST, "OPENCHANNEL_RESULT", 20),
]


def bring_up(version: str) -> list[tuple[str, str, int]]:
    """Rows 1 to 6: (direction, name, payload bytes); a completion has its request's name."""
    return [
        (TO_HOST, "PCI_QUERY_PROTOCOL_VERSION", 8),
        (TO_GUEST, "PCI_QUERY_PROTOCOL_VERSION", 8),
        (TO_HOST, "PCI_QUERY_BUS_RELATIONS", 4),
        (TO_GUEST, *RELATIONS[version]),
        (TO_HOST, "PCI_QUERY_RESOURCE_REQUIREMENTS", 8),
        (TO_GUEST, "PCI_QUERY_RESOURCE_REQUIREMENTS", 28),
        (TO_HOST, "PCI_BUS_D0ENTRY", 16),
        (TO_GUEST, "PCI_BUS_D0ENTRY", 4),
        (TO_HOST, *ASSIGNED[version]),
        (TO_GUEST, ASSIGNED[version][0], 4),
    ]


def arrival(version: str) -> RunResult:
    return play(as_asked(load_scenario("arrival"), protocol=version))


def row(message: Message) -> tuple[str, str, int]:
    return message.direction, message.answers or message.name, message.size


def of_device(result: RunResult) -> list[Message]:
    return [message for message in messages_of(result.trace) if message.channel is not None]


@pytest.mark.wire_note("1.1a", "1.3a", "1.4a", "1.4c")
@pytest.mark.parametrize("version", VERSIONS)
def test_the_control_plane_comes_up_in_the_notes_order(version: str) -> None:
    messages = [message for message in arrival(version).messages if message.channel is None]
    assert [row(message) for message in messages] == CONTROL_PLANE


@pytest.mark.wire_note("2.0a", "2.0b", "2.0c", "2.0d", "2.0e", "2.0f")
@pytest.mark.parametrize("version", VERSIONS)
def test_rows_one_to_six_are_those_of_the_notes(version: str) -> None:
    rows = [row(message) for message in of_device(arrival(version))]
    expected = bring_up(version)
    assert rows[: len(expected)] == expected


@pytest.mark.wire_note("2.0h", "2.2b", "2.5a")
@pytest.mark.parametrize("version", VERSIONS)
def test_row_eight_creates_an_interrupt_per_vector_and_deletes_before_it_creates_again(
    version: str,
) -> None:
    rows = [row(message) for message in of_device(arrival(version))][len(bring_up(version)) :]
    create = (TO_HOST, *CREATE[version])
    created = (TO_GUEST, CREATE[version][0], 24)
    delete = (TO_HOST, "PCI_DELETE_INTERRUPT_MESSAGE", 24)
    first, again = [create, created], [delete, create, created]
    assert rows == first * 2 + again * 2


@pytest.mark.wire_note("2.0a", "2.0b", "2.0d", "2.0e", "5.2a", "5.3c")
@pytest.mark.parametrize("version", VERSIONS)
def test_completions_are_asked_for_where_the_notes_say_so(version: str) -> None:
    asked = {}
    for message, stamped in zip(
        of_device(arrival(version)),
        [s for s in arrival(version).trace if isinstance(s.event, PacketPublished)],
        strict=True,
    ):
        event = stamped.event
        assert isinstance(event, PacketPublished)
        if event.direction == TO_HOST:
            asked[message.name] = (event.flags, event.transaction_id)
    silent = {"PCI_QUERY_BUS_RELATIONS", "PCI_DELETE_INTERRUPT_MESSAGE"}
    assert {name for name, (flags, _) in asked.items() if flags == 0} == silent
    for name, (flags, transaction_id) in asked.items():
        assert (flags, transaction_id) == ((0, 0) if name in silent else (COMPLETION, 1))


@pytest.mark.wire_note("2.0g")
@pytest.mark.parametrize("version", VERSIONS)
def test_row_seven_lies_between_assignment_and_the_first_interrupt(version: str) -> None:
    result = arrival(version)
    accesses = [s.seq for s in result.trace if isinstance(s.event, (ConfigRead, ConfigWritten))]
    assigned = max(m.seq for m in of_device(result) if m.answers == ASSIGNED[version][0])
    created = min(m.seq for m in of_device(result) if m.name == CREATE[version][0])
    assert min(accesses) > assigned
    assert any(assigned < seq < created for seq in accesses)


@pytest.mark.parametrize("version", VERSIONS)
def test_row_nine_retargets_each_vector_when_it_is_unmasked(version: str) -> None:
    result = arrival(version)
    retargets = [
        s.event.result
        for s in result.trace
        if isinstance(s.event, HypercallMade) and s.event.code == RETARGET
    ]
    assert retargets == [0, 0]


@pytest.mark.parametrize("version", VERSIONS)
def test_an_installed_device_is_quiet_but_for_its_interrupts(version: str) -> None:
    """The data path needs no message (vpci.rst): eight interrupts, and the channel is silent."""
    result = arrival(version)
    last_message = max(message.seq for message in of_device(result))
    delivered = [s.seq for s in result.trace if type(s.event).__name__ == "InterruptDelivered"]
    assert len(delivered) == 8
    assert min(delivered) > last_message


@pytest.mark.wire_note("4.5a", "4.5b", "4.5c", "4.5d")
def test_openvmm_tells_the_list_twice_and_the_second_only_leads_to_a_scan() -> None:
    result = play(as_asked(load_scenario("arrival"), protocol="1.3", profile="openvmm"))
    rows = [message.answers or message.name for message in of_device(result)]
    asked, entered = (rows.index(f"PCI_{what}") for what in ("QUERY_BUS_RELATIONS", "BUS_D0ENTRY"))
    lists = [n for n, name in enumerate(rows) if name == "PCI_BUS_RELATIONS2"]
    assert lists == [asked + 1, entered + 1]
    assert rows[entered + 2] == "PCI_BUS_D0ENTRY"
    events = [stamped.event for stamped in result.trace]
    order = [
        event.state if isinstance(event, BusStateChanged) else type(event).__name__
        for event in events
        if isinstance(event, (BusStateChanged, ChildAdded, ChildRemoved, RelationsProcessed))
    ]
    once = ["ChildAdded", "RelationsProcessed", "probed", "installed"]
    assert order == [*once, "RelationsProcessed"]
