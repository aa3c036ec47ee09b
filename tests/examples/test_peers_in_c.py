# SPDX-License-Identifier: MIT
"""The guest and the host in C: built as their Makefiles do, they pass the cases that they claim."""

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from protocol.codec import WireRecord
from protocol.peer_port import (
    ROLE_GUEST,
    ROLE_HOST,
    Error,
    Hello,
    MmioRead,
    MmioValue,
    MmioWrite,
    MmioWritten,
    Offered,
    Open,
    Opened,
    Order,
    PacketFrame,
    Unframer,
    encode,
)
from sim.conformance.case import Case
from sim.conformance.catalogue import GUEST_CASES, HOST_CASES
from sim.conformance.outcome import BINDING, STRANGER, Outcome, Target
from sim.conformance.suite import plan, run_guest_case, run_host_case
from sim.peer.peers import spawn
from sim.peer.remote_guest import RemoteGuests
from sim.peer.remote_host import hosts_of
from tests.house.sources import ROOT

EXAMPLES = ("guest-in-c", "host-in-c")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the examples, built there."""
    lacking = [tool for tool in ("cc", "make") if shutil.which(tool) is None]
    if lacking:
        remedy = f"{lacking[0]} is missing: apt-get install gcc make"
        if os.environ.get("CI"):
            pytest.fail(f"CI must build the examples, but {remedy}")
        pytest.skip(remedy)
    folder = tmp_path_factory.mktemp("examples")
    for name in ("port-in-c", *EXAMPLES):
        shutil.copytree(ROOT / "examples" / name, folder / name)
    for name in EXAMPLES:
        done = subprocess.run(
            ["make", "-C", folder / name], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    return folder


def claims(example: str) -> list[str]:
    """The case ids that an example claims to pass."""
    lines = (ROOT / "examples" / example / "claims.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def wrong(outcomes: list[Outcome]) -> list[tuple[str, str, str]]:
    return [(o.case.id, o.version, o.why) for o in outcomes if o.result != "passed"]


@pytest.mark.parametrize(
    ("example", "cases"), [("guest-in-c", GUEST_CASES), ("host-in-c", HOST_CASES)]
)
def test_what_is_claimed_are_cases_and_sorted(example: str, cases: tuple[Case, ...]) -> None:
    claimed = claims(example)
    assert claimed == sorted(set(claimed))
    assert set(claimed) <= {case.id for case in cases}


def test_the_guest_in_c_passes_the_cases_that_it_claims(built: Path) -> None:
    claimed = claims("guest-in-c")
    target = Target("guest", "guest-in-c", "hyperv", BINDING[STRANGER])
    with spawn(str(built / "guest-in-c" / "guest")) as peers:
        outcomes = [
            run_guest_case(case, version, target, RemoteGuests(peers))
            for case, version in plan(GUEST_CASES)
            if case.id in claimed
        ]
    assert wrong(outcomes) == []


def test_the_host_in_c_passes_the_cases_that_it_claims(built: Path) -> None:
    claimed = claims("host-in-c")
    target = Target("host", "host-in-c", None, BINDING[STRANGER])
    with spawn(str(built / "host-in-c" / "host")) as peers:
        outcomes = [
            run_host_case(case, version, target, hosts_of(peers))
            for case, version in plan(HOST_CASES)
            if case.id in claimed
        ]
    assert wrong(outcomes) == []


def told(program: Path, *frames: bytes) -> tuple[int, list[WireRecord]]:
    """How a program ends, and what it says, that hears these frames and then nothing more."""
    done = subprocess.run([program], input=b"".join(frames), capture_output=True, check=False)
    return done.returncode, list(Unframer().feed(done.stdout))


def short(frame: WireRecord) -> bytes:
    """A frame without the last byte of its body, of which the header knows."""
    whole = encode(frame)
    length, kind = struct.unpack_from("<II", whole)
    return struct.pack("<II", length - 1, kind) + whole[8:-1]


@pytest.mark.parametrize(
    ("example", "peer", "frame"),
    [
        ("guest-in-c", ROLE_HOST, Offered(channel=1)),
        ("guest-in-c", ROLE_HOST, PacketFrame(channel=1)),
        ("guest-in-c", ROLE_HOST, Order(order=33)),
        ("host-in-c", ROLE_GUEST, Open(channel=1)),
        ("host-in-c", ROLE_GUEST, MmioRead(size=4)),
        ("host-in-c", ROLE_GUEST, MmioWrite(size=4)),
    ],
)
def test_a_frame_that_is_too_short_ends_them_with_a_word(
    built: Path, example: str, peer: int, frame: WireRecord
) -> None:
    program = built / example / example.partition("-")[0]
    status, said = told(program, encode(Hello(role=peer)), short(frame))
    assert status == 1
    assert said[-1] == Error(text=b"a frame is too short")


def test_a_register_that_nobody_has_does_the_host_in_c_no_harm(built: Path) -> None:
    """Of any size, and just before the window's second page: that begins again at 0 here."""
    last_gpa = (1 << 64) - 1
    enter = struct.pack("<IIQ", 0x42490007, 0, last_gpa - 0xFFF)
    status, said = told(
        built / "host-in-c" / "host",
        encode(Hello(role=ROLE_GUEST)),
        encode(Open(channel=1)),
        encode(PacketFrame(1, 6, 0, 0, struct.pack("<II", 0x42490013, 0x10004))),
        encode(PacketFrame(1, 6, 0, 0, enter)),
        encode(MmioRead(7, 2, 0)),
        *(encode(MmioRead(7, size, last_gpa)) for size in (2, 8, 64)),
        encode(MmioWrite(7, 64, last_gpa, 0)),
    )
    ones = (1 << 64) - 1
    assert status == 0
    assert said[2:] == [
        Opened(channel=1),
        MmioValue(7, 0, 0x1234),
        *(MmioValue(7, 0, value) for value in (0xFFFF, ones, ones)),
        MmioWritten(7),
    ]
