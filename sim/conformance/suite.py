# SPDX-License-Identifier: MIT
"""Runs cases against a peer and says what came of each. Knows no peer and no way to show it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from protocol.errors import WireFormatError
from protocol.versions import vpci_dialect
from sim.conformance.case import (
    NOTHING_MORE,
    Case,
    GuestCase,
    HostCase,
    Nonconforming,
    NotOffered,
)
from sim.conformance.guest_play import judged
from sim.conformance.host_bench import HostBench
from sim.conformance.host_port import HostUnderTest
from sim.conformance.lives import Lives
from sim.conformance.outcome import Outcome, Result, Target
from sim.conformance.watched import Watched
from sim.guests import Guests
from sim.peer.fault import PeerFault
from sim.trace import Stamped

C = TypeVar("C", bound=Case)


def plan(
    cases: Iterable[C], versions: Sequence[str] = (), strengths: Sequence[str] = ()
) -> Iterator[tuple[C, str]]:
    """Each case with each version it is to run at; empty selections select all."""
    for case in cases:
        if strengths and case.strength not in strengths:
            continue
        yield from ((case, v) for v in case.versions if not versions or v in versions)


MakeHost = Callable[[HostCase, str], HostUnderTest]


def run_host_cases(
    planned: Iterable[tuple[HostCase, str]], target: Target, make: MakeHost
) -> Iterator[Outcome]:
    """Each case against a fresh host."""
    return (run_host_case(case, version, target, make) for case, version in planned)


def run_host_case(case: HostCase, version: str, target: Target, make: MakeHost) -> Outcome:
    """One case against a fresh host."""
    if target.profile in case.broken_by:
        return Outcome(case, version, "skipped", case.broken_by[target.profile], (), None)
    host: Watched | None = None
    try:
        host = Watched(make(case, version))
        bench = HostBench(host, vpci_dialect(version))
        if case.begins == "opened":
            bench.opened()
        case.check(bench)
    except NotOffered as missing:
        return Outcome(case, version, "skipped", str(missing), (), None)
    except Nonconforming as wrong:
        return _wrong(case, version, target, _placed(wrong, host), _trace_of(host))
    except WireFormatError as damaged:
        unread = Nonconforming(f"what the host sent cannot be read: {damaged}")
        return _wrong(case, version, target, _placed(unread, host), _trace_of(host))
    except PeerFault as fault:
        return _lost(case, version, fault, _trace_of(host))
    return Outcome(case, version, "passed", "", (), None)


def _trace_of(host: HostUnderTest | None) -> tuple[Stamped, ...]:
    return () if host is None else tuple(host.trace())


def _placed(wrong: Nonconforming, host: Watched | None) -> Nonconforming:
    """With the place of what the host gave last, where the check named none of its own."""
    if wrong.at is None and host is not None:
        wrong.at = host.place
    if wrong.at == NOTHING_MORE:
        wrong.at = None
    return wrong


def run_guest_case(case: GuestCase, version: str, target: Target, guests: Guests | None) -> Outcome:
    """One case against a fresh guest."""
    (outcome,) = run_guest_cases_together([(case, version)], target, guests)
    return outcome


def run_guest_cases(
    planned: Iterable[tuple[GuestCase, str]], target: Target, guests: Guests | None
) -> Iterator[Outcome]:
    """Each case against a fresh guest."""
    lives = _lives((), target, guests)
    return (_outcome_of_guest(case, version, target, lives) for case, version in planned)


def run_guest_cases_together(
    planned: Sequence[tuple[GuestCase, str]], target: Target, guests: Guests | None
) -> Iterator[Outcome]:
    """Each case against a guest that lives in the case's world, once for all cases about it."""
    lives = _lives(planned, target, guests)
    return (_outcome_of_guest(case, version, target, lives) for case, version in planned)


def _lives(
    kept_for: Iterable[tuple[GuestCase, str]], target: Target, guests: Guests | None
) -> Lives:
    assert target.profile is not None, "a host of a known profile stands opposite a guest"
    return Lives(kept_for, target.profile, guests)


def _outcome_of_guest(case: GuestCase, version: str, target: Target, lives: Lives) -> Outcome:
    try:
        life = lives.life_for(case, version)
        wrong = judged(case, life)
    except NotOffered as missing:
        return Outcome(case, version, "skipped", str(missing), (), None)
    except PeerFault as fault:
        return _lost(case, version, fault, fault.trace)
    if wrong is not None:
        return _wrong(case, version, target, wrong, life.seen.trace)
    return Outcome(case, version, "passed", "", (), None)


def _lost(case: Case, version: str, fault: PeerFault, trace: Sequence[Stamped]) -> Outcome:
    """A peer that is none any more has failed, whoever's rule the case is about."""
    return Outcome(case, version, "failed", str(fault), trace, None)


def _wrong(
    case: Case, version: str, target: Target, wrong: Nonconforming, trace: Sequence[Stamped]
) -> Outcome:
    binds = case.strength in target.binding and case.strength != "unknown"
    result: Result = "failed" if binds else "observed"
    return Outcome(case, version, result, str(wrong), trace, wrong.at)
