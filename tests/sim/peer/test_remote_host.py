# SPDX-License-Identifier: MIT
"""Our host behind the peer port is to the suite what it is in this process."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from protocol.codec import WireRecord
from protocol.peer_port import ROLE_HOST, Hello, Offered, Open, Opened, Ping, Pong, Released
from protocol.status import STATUS_UNSUCCESSFUL, unsigned
from sim.conformance import own_host
from sim.conformance.case import HostCase
from sim.conformance.catalogue import HOST_CASES, HOST_THEMES
from sim.conformance.host_port import HostUnderTest
from sim.conformance.outcome import BINDING, Outcome, Target
from sim.conformance.own_host import OwnHost
from sim.conformance.suite import plan, run_host_case
from sim.peer.fault import PeerFault
from sim.peer.host_server import HostServer
from sim.peer.peers import Peers
from sim.peer.remote_host import hosts_of
from sim.peer.wire import Wire
from tests.sim.peer.ends import InThread


def served(profile: str) -> Peers:
    """Our host, served in a thread."""

    def serve(wire: Wire) -> None:
        HostServer(wire, lambda bus: OwnHost(profile, bus, {})).serve(lambda: None)

    return Peers(InThread(serve))


NOT_OPENED = "over the peer port nobody opens a channel that was rescinded"
OUT_OF_REACH = (
    "a host in another process cannot be set up for this case",
    "the rings of a host in another process cannot be seen",
    NOT_OPENED,
)


def outcomes(
    profile: str, make: Callable[[HostCase, str], HostUnderTest]
) -> dict[tuple[str, str], tuple[str, str]]:
    target = Target("host", "our host", profile, BINDING[profile])
    found: list[Outcome] = [
        run_host_case(case, version, target, make) for case, version in plan(HOST_CASES)
    ]
    return {(one.case.id, one.version): (one.result, one.why) for one in found}


@pytest.mark.parametrize("profile", ["hyperv", "openvmm"])
def test_the_suite_says_the_same_of_our_host_behind_the_port(profile: str) -> None:
    direct = outcomes(profile, own_host.hosts_of(profile))
    with served(profile) as peers:
        remote = outcomes(profile, hosts_of(peers))
    reached = {run: seen for run, seen in remote.items() if seen[1] not in OUT_OF_REACH}
    assert reached == {run: direct[run] for run in reached}
    missed = {case for case, _ in remote.keys() - reached.keys()}
    set_up = {case.id for case in HOST_CASES if case.knobs}
    too_late = {case for (case, _), seen in remote.items() if seen[1] == NOT_OPENED}
    assert missed - set_up - too_late <= {case.id for case in HOST_THEMES["ring"]}
    assert too_late == {"late-open-not-answered"}


def dies(wire: Wire) -> None:
    wire.send(Hello(role=ROLE_HOST))
    while not isinstance(wire.next(None), Ping):
        pass


def talks_nonsense(wire: Wire) -> None:
    wire.send(Hello(role=ROLE_HOST))
    wire.send(Released(1))
    while not isinstance(wire.next(None), Ping):
        pass


def offers_nothing(wire: Wire) -> None:
    wire.send(Hello(role=ROLE_HOST))
    frame = None
    while not isinstance(frame, Ping):
        frame = wire.next(None)
    wire.send(Pong(frame.token))


@pytest.mark.parametrize(
    ("peer", "result", "why"),
    [
        (dies, "failed", "the peer died: it closed the connection"),
        (talks_nonsense, "failed", "the peer talks nonsense: RELEASED was not to come"),
        (offers_nothing, "failed", "the host offers no channel"),
    ],
)
def test_what_is_wrong_with_a_peer_is_the_result_of_the_case(
    peer: Callable[[Wire], None], result: str, why: str
) -> None:
    target = Target("host", "a fake", "stranger", BINDING["stranger"])
    with Peers(InThread(peer)) as peers:
        outcome = run_host_case(HOST_CASES[0], "1.4", target, hosts_of(peers))
    assert (outcome.result, outcome.why) == (result, why)


def does_nothing_but(*said: WireRecord) -> Callable[[Wire], None]:
    """A host that says this at first, refuses every OPEN, and has no word for anything else."""

    def answers(wire: Wire) -> None:
        for word in (Hello(role=ROLE_HOST), *said):
            wire.send(word)
        while True:
            frame = wire.next(None)
            if isinstance(frame, Ping):
                wire.send(Pong(frame.token))
            elif isinstance(frame, Open):
                wire.send(Opened(frame.channel, unsigned(STATUS_UNSUCCESSFUL)))

    def until_we_leave(wire: Wire) -> None:
        with suppress(PeerFault):
            answers(wire)

    return until_we_leave


@pytest.mark.parametrize(
    ("peer", "failed", "passed"),
    [
        (does_nothing_but(), "channel-offered", []),
        (does_nothing_but(Offered(channel=1)), "channel-opens", ["channel-offered"]),
    ],
)
def test_a_host_that_does_nothing_fails_one_must_and_is_not_put_to_the_others(
    peer: Callable[[Wire], None], failed: str, passed: list[str]
) -> None:
    target = Target("host", "a fake", None, BINDING["stranger"])
    with Peers(InThread(peer)) as peers:
        outcomes = [
            run_host_case(case, version, target, hosts_of(peers))
            for case, version in plan(HOST_CASES, ["1.4"], ["must"])
        ]
    assert [outcome.case.id for outcome in outcomes if outcome.result == "failed"] == [failed]
    assert [outcome.case.id for outcome in outcomes if outcome.result == "passed"] == passed
