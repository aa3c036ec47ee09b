# SPDX-License-Identifier: MIT
"""Ways to a peer: commands that end in every way, sockets, and nothing left of any."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from protocol.peer_port import ROLE_GUEST, ROLE_HOST, Hello
from sim.peer.fault import PeerFault, PeerLeft, Unreachable
from sim.peer.peers import connect, spawn
from sim.peer.reach import Spawned, listening
from sim.peer.wire import Wire
from tests.sim.peer.ends import AT_ONCE, PATIENT

MINE = Hello(role=ROLE_GUEST)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("false", "the peer died: exit status 1"),
        ("sh -c 'kill -SEGV $$'", "the peer died: signal SIGSEGV"),
        ("echo hello, world", "the peer talks nonsense"),
        ("cat", "the peer is a guest, and a host is wanted"),
        ("head -c 3 /dev/zero", "the peer died within a frame: exit status 0"),
    ],
)
def test_how_a_command_ends_is_told(command: str, says: str) -> None:
    with spawn(command, PATIENT) as peers, pytest.raises(PeerFault, match=says):
        peers.fresh(MINE)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("/nowhere/at-all", "No such file or directory; name a program"),
        ("'unclosed", "No closing quotation; quote it"),
        ("", "is empty; name a program"),
    ],
)
def test_a_command_that_cannot_run_is_told_with_the_remedy(command: str, says: str) -> None:
    with pytest.raises(Unreachable, match=says):
        spawn(command).fresh(MINE)


def test_a_command_that_will_not_end_is_ended_with_what_it_started(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "alive"))
        listener.listen()
        way = Spawned(f"{sys.executable} -c '{STUBBORN}' {tmp_path}/alive", AT_ONCE)
        way.open()
        line, _ = listener.accept()
    with line:
        assert line.recv(4) == b"deaf"
        way.close()
        line.settimeout(PATIENT.answer_s)
        assert line.recv(1) == b""  # nobody holds the other end any more


# It and its child hold a line to us, and neither ends when it is asked to.
STUBBORN = (
    "import os, signal, socket, sys;"
    " line = socket.socket(socket.AF_UNIX); line.connect(sys.argv[1]);"
    " signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    ' os.fork() and line.send(b"deaf"); line.recv(1)'
)


def wait_for_ever(wire: Wire) -> None:
    while wire.next(None):
        pass


def test_a_socket_gives_one_life_after_another(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/port"

    def serve(lives: Iterator[Wire]) -> None:
        for number in (1, 2):
            wire = next(lives)
            wire.send(Hello(role=ROLE_HOST, name=f"life {number}".encode()))
            with pytest.raises(PeerLeft):
                wait_for_ever(wire)
            wire.close()

    with listening(address, PATIENT) as lives:
        thread = Thread(target=serve, args=(lives,))
        thread.start()
        with connect(address, PATIENT) as peers:
            assert [peers.fresh(MINE).name for _ in range(2)] == ["life 1", "life 2"]
        thread.join()
    assert not (tmp_path / "port").exists()


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("tcp:1234", "is no address; write unix:PATH"),
        ("unix:", "is no address; write unix:PATH"),
        ("unix:/nowhere/at-all", "No such file or directory; start the peer"),
        ("unix:" + "x" * 200, "name another socket"),
    ],
)
def test_where_nobody_is_one_is_told_what_to_do(address: str, says: str) -> None:
    with pytest.raises(Unreachable, match=says):
        connect(address, AT_ONCE).fresh(MINE)


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("taken", "Address already in use; remove it, or name another socket"),
        ("no/folder", "No such file or directory; name another socket"),
    ],
)
def test_who_cannot_listen_is_told_what_to_do(tmp_path: Path, place: str, says: str) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(Unreachable, match=says), listening(f"unix:{tmp_path}/{place}"):
        pass
