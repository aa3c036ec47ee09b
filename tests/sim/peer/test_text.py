# SPDX-License-Identifier: MIT
"""A peer's words are shown on terminals and written into XML: nothing in them may act there."""

from __future__ import annotations

import io
import os
from xml.etree import ElementTree

import pytest

from protocol.peer_port import ROLE_GUEST, ROLE_HOST, Error, Hello, encode
from sim.conformance.catalogue import HOST_CASES, HOST_THEMES
from sim.conformance.outcome import BINDING, STRANGER, Target
from sim.conformance.suite import run_host_case
from sim.peer.peers import Peers
from sim.peer.remote_host import hosts_of
from sim.peer.talk import Talk
from sim.peer.text import text_of
from sim.peer.wire import Wire
from sim.report.conformance_page import page_text
from sim.report.junit import write_junit
from tests.sim.peer.ends import InThread, wire_and_end

MINE = Hello(role=ROLE_GUEST)
RED = b"gave up \x1b[31m\0 <b>"
SHOWN = "gave up \ufffd[31m\ufffd <b>"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (RED, SHOWN),
        (b"one\r\ntwo\x7f", "one\ufffd\ufffdtwo\ufffd"),
        ("c1 \x9b and turned \u202e".encode(), "c1 \ufffd and turned \ufffd"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        ("no noncharacter \uffff".encode(), "no noncharacter \ufffd"),
        ("für alle 🙂".encode(), "für alle 🙂"),
    ],
)
def test_what_cannot_be_printed_is_replaced(said: bytes, shown: str) -> None:
    assert text_of(said) == shown


def test_so_is_it_in_a_peers_name() -> None:
    with wire_and_end() as (wire, end):
        os.write(end, encode(Hello(role=ROLE_HOST, name=RED)))
        assert Talk(wire, MINE).name == SHOWN


def gives_up(wire: Wire) -> None:
    wire.send(Hello(role=ROLE_HOST))
    wire.send(Error(RED))


def test_a_peer_that_gives_up_in_colour_is_reported_as_any_other() -> None:
    target = Target("host", "a fake", STRANGER, BINDING[STRANGER])
    with Peers(InThread(gives_up)) as peers:
        outcome = run_host_case(HOST_CASES[0], "1.4", target, hosts_of(peers))
    assert outcome.why == f"the peer gave up: {SHOWN}"
    file = io.BytesIO()
    write_junit(file, target, [outcome], {HOST_CASES[0].id: "a theme"})
    assert ElementTree.fromstring(file.getvalue()).get("failures") == "1"
    assert "\x1b" not in page_text(target, HOST_THEMES, [outcome])
