# SPDX-License-Identifier: MIT
"""Traces as files: what goes in comes out, the same bytes every time, whole or not at all."""

from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guest.events import D0Entered as GuestD0Entered
from host.events import BusRelationsSent, ChannelOffered
from host.events import D0Entered as HostD0Entered
from protocol.ids import Gpa, RelId, TransactionId
from protocol.link import MessagePosted, PacketPublished
from sim.event_names import EVENT_NAMES, EVENT_OF_TAG, TAG_OF_EVENT, kebab
from sim.trace import Stamped, Trace, TraceError, read_trace, write_trace

ABOUT = {"scenario": "arrival", "protocol": "1.4", "seed": 0}


def some_events() -> tuple[Stamped, ...]:
    events: tuple[msgspec.Struct, ...] = (
        ChannelOffered("nvme0", RelId(1)),
        MessagePosted("host-to-guest", b"\x01\x00\x00\x00\xff"),
        PacketPublished("guest-to-host", RelId(1), 6, TransactionId(7), 1, b"\x13\x00\x31\x49"),
        BusRelationsSent("nvme0", (0, 32)),
        GuestD0Entered(RelId(1), Gpa(0xF800_0000)),
    )
    return tuple(Stamped(n, 1_000 * n, "work/0:hv_pci_1", e) for n, e in enumerate(events))


# --- names ---


def test_events_are_called_after_their_classes() -> None:
    assert kebab("D0Entered") == "d0-entered"
    assert kebab("BusRelationsSent") == "bus-relations-sent"
    assert EVENT_NAMES["eject-complete-received"].__name__ == "EjectCompleteReceived"


def test_of_two_events_with_one_name_the_host_s_is_meant() -> None:
    assert EVENT_NAMES["d0-entered"] is HostD0Entered
    assert EVENT_NAMES["guest.d0-entered"] is GuestD0Entered


def test_every_event_has_one_name_of_its_own() -> None:
    assert len(EVENT_OF_TAG) == len(TAG_OF_EVENT)
    assert all(EVENT_OF_TAG[tag] is event for event, tag in TAG_OF_EVENT.items())


# --- files ---


def test_a_trace_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    write_trace(path, ABOUT, some_events())
    assert read_trace(path) == Trace(ABOUT, some_events())


def test_the_same_events_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_trace(tmp_path / name, ABOUT, some_events())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("tag", EVENT_OF_TAG)
def test_every_kind_of_event_survives_a_file(tag: str, tmp_path: Path) -> None:
    event = _example(EVENT_OF_TAG[tag])
    path = tmp_path / "trace.jsonl"
    write_trace(path, ABOUT, [Stamped(0, 0, "host", event)])
    assert read_trace(path).events[0].event == event


def _example(kind: type[msgspec.Struct]) -> msgspec.Struct:
    hints = get_type_hints(kind)
    return kind(*(_value(hints[name]) for name in kind.__struct_fields__))


def _value(hint: Any) -> Any:
    """Some value of a field's type."""
    known: dict[Any, Any] = {int: 5, str: "x", bytes: b"\x00\xff", bool: True}
    plain = getattr(hint, "__supertype__", hint)
    if plain in known:
        return known[plain]
    arguments: tuple[Any, ...] = getattr(hint, "__args__", ())
    if getattr(hint, "__origin__", None) is tuple:
        return (_value(arguments[0]),)
    return arguments[0] if isinstance(arguments[0], str) else _value(arguments[0])


def test_an_interrupted_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    write_trace(path, ABOUT, some_events())
    before = path.read_bytes()

    def interrupted() -> Any:
        yield from some_events()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_trace(path, ABOUT, interrupted())
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["trace.jsonl"]


# --- damaged files ---


def told(path: Path) -> str:
    with pytest.raises(TraceError) as caught:
        read_trace(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_damaged_trace_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    write_trace(path, ABOUT, some_events())
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], b"{}\n"]))
    assert f"{path}: line 4: is no event: " in told(path)
    path.write_bytes(lines[0] + lines[1].replace(b"channel-offered", b"channel-ofered"))
    assert told(path) == f"{path}: line 2: unknown event 'host.channel-ofered'"
    path.write_bytes(lines[0] + lines[2].replace(b"01000000ff", b"0100000"))
    assert "line 2: is no event" in told(path)


def test_what_is_no_trace_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text("hello\n")
    assert "line 1: is no 'vpcisim trace 1'" in told(path)
    path.write_text("")
    assert "line 1: is no 'vpcisim trace 1'" in told(path)
    assert "cannot be read: No such file" in told(tmp_path / "absent")


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_damage_to_a_trace_does_more_than_a_line_of_error(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("traces") / "trace.jsonl"
    write_trace(path, ABOUT, some_events())
    text = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(text)
    try:
        trace = read_trace(path)
    except TraceError as error:
        trace = Trace({"error": str(error)}, ())
    assert "\n" not in trace.about.get("error", "")
