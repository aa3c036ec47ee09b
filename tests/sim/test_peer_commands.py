# SPDX-License-Identifier: MIT
"""``vpcisim peer serve`` and ``peer record``, with guests that are threads of this process."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from protocol.codec import WireRecord
from protocol.peer_port import (
    ROLE_GUEST,
    ROLE_HOST,
    Bye,
    Close,
    Hello,
    Offered,
    Open,
    Opened,
    PacketFrame,
    Released,
)
from protocol.vmbus import VM_PKT_DATA_INBAND
from protocol.vpci import MessageType as M
from protocol.vpci import PciMessage, PciVersionRequest
from sim.cli import main
from sim.peer.fault import PeerLeft
from sim.peer.reach import Connected, listening
from sim.peer.wire import Wire
from sim.trace import read_trace
from tests.sim.peer.ends import PATIENT

Talks = Callable[[Wire], None]


@contextmanager
def beside(talks: Talks, address: str) -> Iterator[None]:
    """Somebody who connects there while we are busy."""

    def run() -> None:
        way = Connected(address, PATIENT._replace(connect_s=60.0))
        talks(way.open())
        way.close()

    thread = Thread(target=run)
    thread.start()
    yield
    thread.join()


def hears(wire: Wire, kind: type[WireRecord]) -> WireRecord:
    """The next frame of that kind."""
    while not isinstance(frame := wire.next(60), kind):
        assert frame is not None
    return frame


def asks(wire: Wire, message: WireRecord, number: int = 1) -> None:
    """A request, and its answer."""
    wire.send(PacketFrame(1, VM_PKT_DATA_INBAND, 1, number, message.build()))
    hears(wire, PacketFrame)


def opens(wire: Wire) -> None:
    """A guest that opens the channel and agrees on a version."""
    wire.send(Hello(role=ROLE_GUEST, name=b"thread"))
    hears(wire, Offered)
    wire.send(Open(1))
    hears(wire, Opened)
    asks(wire, PciVersionRequest(protocol_version=0x10004))


def is_good(wire: Wire) -> None:
    opens(wire)
    wire.send(Close(1))
    wire.send(Bye())


def leaves_d0_unentered(wire: Wire) -> None:
    opens(wire)
    asks(wire, PciMessage(M.PCI_BUS_D0EXIT), 2)
    wire.send(Bye())


def releases_what_is_offered(wire: Wire) -> None:
    opens(wire)
    wire.send(Released(1))
    with pytest.raises(PeerLeft):
        hears(wire, Bye)


def test_a_guest_meets_our_host_and_what_passes_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"unix:{tmp_path}/host"
    with beside(is_good, address):
        assert main(["peer", "serve", "--listen", address, "--lives", "1"]) == 0
    shown = capsys.readouterr()
    assert "PCI_QUERY_PROTOCOL_VERSION 8 #1" in shown.out
    assert shown.out.count("time  host") == 1
    assert "thread left: " in shown.out
    assert "waiting for a guest" in shown.err
    assert not (tmp_path / "host").exists()


def test_a_guest_that_does_what_none_may_is_told_and_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"unix:{tmp_path}/host"
    with beside(releases_what_is_offered, address):
        assert main(["peer", "serve", "--listen", address, "--lives", "1", "--json"]) == 1
    out, error = capsys.readouterr()
    told = json.loads(out)
    assert told["profile"] == "hyperv"
    assert [(life["guest"], life["fault"]) for life in told["lives"]] == [
        ("thread", "the peer talks nonsense: channel 1 is open")
    ]
    assert error.endswith("\nthread left: the peer talks nonsense: channel 1 is open\n")


def recorded(tmp_path: Path, guest: Talks, *arguments: str) -> int:
    """A recording of that guest; the exit status."""
    address = f"unix:{tmp_path}/guest"
    trace = str(tmp_path / "trace.jsonl")
    with beside(guest, address):
        return main(["peer", "record", "--listen", address, "--trace", trace, *arguments])


def test_what_passes_between_a_guest_and_our_host_is_kept_and_clean(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recorded(tmp_path, is_good) == 0
    assert "verdict  clean" in capsys.readouterr().out
    trace = str(tmp_path / "trace.jsonl")
    assert read_trace(Path(trace)).about["scenario"] == "thread and our host, profile hyperv"
    assert main(["diff", trace, trace]) == 0


def test_a_law_that_a_guest_breaks_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recorded(tmp_path, leaves_d0_unentered, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "violation"
    assert told["violation"]["kind"] == "protocol"
    assert {"PCI_BUS_D0EXIT", "VM_PKT_COMP"} <= {one["name"] for one in told["messages"]}


def test_two_strangers_are_recorded_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"unix:{tmp_path}/host"

    def host(lives: Iterator[Wire]) -> None:
        wire = next(lives)
        wire.send(Hello(role=ROLE_HOST, name=b"another"))
        wire.send(Offered(1))
        hears(wire, Open)
        wire.send(Opened(1, 0))
        hears(wire, PacketFrame)
        wire.send(PacketFrame(1, 11, 0, 1, bytes(4)))
        hears(wire, Bye)
        wire.close()

    with listening(address, PATIENT) as lives:
        thread = Thread(target=host, args=(lives,))
        thread.start()
        assert recorded(tmp_path, is_good, "--connect", address) == 0
        thread.join()
    assert "thread and another: " in capsys.readouterr().out
    names = [type(one.event).__name__ for one in read_trace(tmp_path / "trace.jsonl").events]
    assert names == [
        *("ChannelOffered", "ChannelOpened", "PacketPublished", "PacketPublished"),
        "ChannelClosed",
    ]


def test_peers_that_end_before_they_speak_are_at_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = str(tmp_path / "trace.jsonl")
    arguments = ["--spawn", "false", "--spawn-host", "false", "--trace", trace]
    assert main(["peer", "record", *arguments]) == 1
    assert "fault    the peer died: exit status 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--trace", "x"], "a guest is wanted; write either --listen"),
        (["--trace", "x", "--spawn", "a", "--listen", "unix:b"], "a guest is wanted"),
        (
            ["--trace", "x", "--spawn", "a", "--connect", "unix:b", "--profile", "hyperv"],
            "keep one",
        ),
        (["--trace", "x", "--spawn", "/nowhere/at-all"], "name a program that can be run"),
        (["--trace", "x", "--listen", "port"], "'port' is no address; write unix:PATH"),
        (["--trace", "x", "--spawn", "a", "--idle", "-1"], "greater than or equal to 0"),
        (["--trace", "/nowhere/x", "--spawn", "a"], "no such folder; make it, or name another"),
    ],
)
def test_bad_usage_of_a_recording_is_a_line(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["peer", "record", *arguments]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_a_profile_that_does_not_exist_is_told_with_those_that_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["peer", "serve", "--profile", "xen"]) == 2
    assert "hyperv, openvmm" in capsys.readouterr().err
