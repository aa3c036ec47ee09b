# SPDX-License-Identifier: MIT
"""Hosts that do one thing wrong each, and which cases catch them.

They are what the cases are tried on: a rule of every host's is worth its case only if some mistake
shows there and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final, NamedTuple

from sim.conformance.case import HostCase
from sim.conformance.catalogue import HOST_CASES
from sim.conformance.outcome import Outcome, Target
from sim.conformance.own_host import hosts_of
from sim.conformance.suite import MakeHost, run_host_case
from sim.conformance.wrong_hosts import (
    configuration,
    deferred,
    interrupts,
    leaving,
    negotiation,
    power,
    profiles,
    relations,
    resources,
    ring,
    ring_limits,
    ring_words,
)
from sim.conformance.wrong_hosts.row import WrongHost

WRONG_HOSTS: Final[tuple[WrongHost, ...]] = tuple(
    chain(
        negotiation.ROWS,
        relations.ROWS,
        power.ROWS,
        resources.ROWS,
        configuration.ROWS,
        deferred.ROWS,
        interrupts.ROWS,
        leaving.ROWS,
        ring.ROWS,
        ring_words.ROWS,
        ring_limits.ROWS,
        profiles.ROWS,
    )
)
USUAL: Final = "hyperv"  # the host whose words others are compared with


class Caught(NamedTuple):
    """One row of the table: a wrong host, what it does, and the ids of the cases that catch it."""

    wrong: WrongHost
    by: tuple[str, ...]


def caught() -> Iterator[Caught]:
    """The table."""
    for wrong in WRONG_HOSTS:
        yield Caught(wrong, caught_by(wrong))


def caught_by(wrong: WrongHost) -> tuple[str, ...]:
    """The ids of the cases that catch a wrong host at its version, in the catalogue's order.

    One that is there for a case of strength ``must`` is put to all of these.
    """
    named = [case for case in HOST_CASES if case.id in wrong.catches]
    if any(case.strength == "must" for case in named):
        named = [case for case in HOST_CASES if case.strength == "must" or case in named]
    at_version = (case for case in named if wrong.version in case.versions)
    return tuple(case.id for case in at_version if _shows(wrong, case))


def _shows(wrong: WrongHost, case: HostCase) -> bool:
    """Whether the case fails; or, where no rule is established, whether it tells otherwise."""
    outcome = _outcome(wrong.made, case, wrong)
    if case.strength != "unknown":
        return outcome.result == "failed"
    usual = _outcome(hosts_of(USUAL), case, wrong)
    return outcome.result == "observed" and outcome.why != usual.why


def _outcome(make: MakeHost, case: HostCase, wrong: WrongHost) -> Outcome:
    target = Target("host", wrong.id, wrong.profile, frozenset({case.strength}))
    return run_host_case(case, wrong.version, target, make)
