# SPDX-License-Identifier: MIT
"""The picture of a run, and where two runs part."""

import io
import re
from collections.abc import Iterable

import msgspec
import pytest

from guest.events import BusStateChanged
from host.events import BusRelationsSent, ChannelOffered
from protocol.ids import RelId, SlotNumber, TransactionId
from protocol.link import ConfigRead, MessagePosted, PacketPublished
from protocol.vmbus import VM_PKT_COMP, VM_PKT_DATA_INBAND
from protocol.vpci import MessageType
from sim.diff import difference_lines, first_difference
from sim.event_names import EVENT_OF_TAG
from sim.messages import messages_of
from sim.report.lane_rows import LANES, SHOWN, lane_of, rows_of
from sim.report.lanes import lines_of, print_lanes
from sim.scenario_reader import load_scenario
from sim.trace import Stamped
from sim.world import World
from tests.house.sources import ROOT

RELID = RelId(1)
PICTURE = ROOT / "tests" / "data" / "lanes.txt"


def stamped(*pairs: tuple[str, msgspec.Struct]) -> list[Stamped]:
    return [Stamped(n, 1_000 * n, context, event) for n, (context, event) in enumerate(pairs)]


def request(message: MessageType, flags: int = 1) -> PacketPublished:
    payload = int(message).to_bytes(4, "little") + bytes(12)
    return PacketPublished(
        "guest-to-host", RELID, VM_PKT_DATA_INBAND, TransactionId(flags), flags, payload
    )


def completion() -> PacketPublished:
    return PacketPublished("host-to-guest", RELID, VM_PKT_COMP, TransactionId(1), 0, bytes(8))


def conversation() -> list[Stamped]:
    read = ConfigRead("nvme0", SlotNumber(0), 0, 4, 0)
    return stamped(
        ("host", ChannelOffered("nvme0", RELID)),
        ("host", MessagePosted("host-to-guest", b"\x01\x00\x00\x00" + bytes(192))),
        ("thread/0:probe", request(MessageType.PCI_BUS_D0ENTRY)),
        ("host", completion()),
        ("work/0:hv_pci_1", read),
        ("work/0:hv_pci_1", read),
        ("work/0:hv_pci_1", BusStateChanged(RELID, "installed")),
        ("host", BusRelationsSent("nvme0", (0,))),
    )


def test_messages_have_the_protocol_s_names_and_completions_what_they_answer() -> None:
    offer, entry, answer = messages_of(conversation())
    assert (offer.name, offer.size, offer.channel) == ("OFFERCHANNEL", 196, None)
    assert (entry.name, entry.size, entry.channel) == ("PCI_BUS_D0ENTRY", 16, "nvme0")
    assert (answer.name, answer.answers) == ("VM_PKT_COMP", "PCI_BUS_D0ENTRY")
    assert [m.direction for m in (offer, entry, answer)] == [
        "host-to-guest",
        "guest-to-host",
        "host-to-guest",
    ]


def test_a_message_too_short_to_have_a_name_is_shown_all_the_same() -> None:
    (message,) = messages_of(stamped(("host", MessagePosted("host-to-guest", b"\x01"))))
    assert message.name == "(damaged)"


def test_each_context_has_its_lane() -> None:
    contexts = ("host", "hardirq/1:vector 0x31", "softirq/0:callback", "work/0:a", "thread/1:b")
    assert [lane_of(context) for context in contexts] == [
        "host",
        "softirq",
        "softirq",
        "work",
        "thread",
    ]
    assert all(lane_of(context) in LANES for context in (*contexts, "actor:user", "?"))


def test_accesses_between_two_events_share_a_row() -> None:
    notes = [row.note for row in rows_of(conversation())]
    assert "2 configuration reads" in notes


def test_the_picture_is_drawn_as_it_always_was() -> None:
    assert list(lines_of(rows_of(conversation()))) == PICTURE.read_text().splitlines()


def test_a_picture_for_a_file_has_neither_colours_nor_trailing_spaces() -> None:
    out = io.StringIO()
    print_lanes(conversation(), out)
    assert "\x1b" not in out.getvalue()
    assert all(line == line.rstrip() for line in out.getvalue().splitlines())


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown_on_a_terminal(events: Iterable[Stamped], columns: int) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        patch.setenv("LINES", "24")
        patch.setenv("TERM", "xterm")
        out = _Terminal()
        print_lanes(events, out)
    return out.getvalue()


def test_a_terminal_gets_colours() -> None:
    assert "\x1b[" in shown_on_a_terminal(conversation(), 200)


@pytest.mark.parametrize("name", ["eject-in-use", "config-blocks", "multi-function"])
def test_eighty_columns_show_every_name_in_full(name: str) -> None:
    world = World(load_scenario(name))
    world.run()
    events = world.trace()
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown_on_a_terminal(events, 80))
    heading, *lines = text.splitlines()
    assert "t thread" in heading
    assert max(map(len, lines)) <= 80
    for row, line in zip(rows_of(events), lines, strict=True):
        assert (row.message or row.note.partition(" ")[0]) in line


def test_a_wide_terminal_shows_what_a_file_gets() -> None:
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown_on_a_terminal(conversation(), 200))
    assert text.splitlines() == PICTURE.read_text().splitlines()


def test_an_encoding_without_line_drawing_gets_lanes_in_ascii() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    print_lanes(conversation(), out)
    lines = raw.getvalue().decode("ascii").splitlines()
    assert len(lines) == len(PICTURE.read_text().splitlines())
    assert any("|<-- PCI_BUS_D0ENTRY 16" in line for line in lines)


# --- differences ---


def test_equal_traces_have_no_difference() -> None:
    assert first_difference(conversation(), conversation()) is None


def test_the_first_difference_is_shown_with_the_lanes_around_it() -> None:
    left, right = conversation(), conversation()
    right[6] = msgspec.structs.replace(right[6], event=BusStateChanged(RELID, "removing"))
    difference = first_difference(left, right)
    assert difference is not None
    assert difference.at == 6
    lines = list(difference_lines(difference, left, right))
    assert lines[0] == "first difference at event 6"
    assert any("PCI_BUS_D0ENTRY 16" in line for line in lines)
    assert any(line.startswith("left: guest.bus-state-changed") for line in lines)
    assert any("state=removing" in line for line in lines)


def test_a_trace_that_ends_early_differs_there() -> None:
    left = conversation()
    difference = first_difference(left, left[:5])
    assert difference is not None
    assert (difference.at, difference.right) == (5, None)
    assert "right: the trace ends here" in list(difference_lines(difference, left, left[:5]))


def test_the_fields_that_are_shown_are_fields_of_their_events() -> None:
    assert all(
        set(names) <= set(EVENT_OF_TAG[tag].__struct_fields__) for tag, names in SHOWN.items()
    )
