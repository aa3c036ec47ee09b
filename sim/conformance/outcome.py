# SPDX-License-Identifier: MIT
"""What comes of a case, and whom its rule binds. Runs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from protocol.versions import VPCI_DIALECTS
from sim.conformance.case import STRENGTHS, Case
from sim.trace import Stamped

Result: TypeAlias = Literal["passed", "failed", "skipped", "observed"]
RESULTS: Final[tuple[Result, ...]] = ("passed", "failed", "skipped", "observed")

STRANGER: Final = "stranger"
# Whose rules bind whom; what another strength's case finds is told, and no failure.
BINDING: Final[Mapping[str, frozenset[str]]] = {
    "guest": frozenset({"must", "linux"}),
    "hyperv": frozenset({"must", "hyperv"}),
    "openvmm": frozenset({"must", "openvmm"}),
    STRANGER: frozenset({"must"}),
}
assert set().union(*BINDING.values()) <= set(STRENGTHS)


class Outcome(NamedTuple):
    """What came of one case at one version.

    ``result``: ``observed`` is a rule that does not bind this peer and that it does not follow, or
    one that nobody established; ``why`` says what was seen, or what is missing. ``trace`` is what
    crossed, and ``at`` the place in it of the first message that differs or that nothing came of,
    None where that is no message.
    """

    case: Case
    version: str
    result: Result
    why: str
    trace: Sequence[Stamped]
    at: int | None


def versions_of(outcomes: Iterable[Outcome]) -> tuple[str, ...]:
    """The versions that cases were run at, in the protocol's order."""
    run = {outcome.version for outcome in outcomes}
    return tuple(dialect.name for dialect in VPCI_DIALECTS.values() if dialect.name in run)


class Target(NamedTuple):
    """Who is tested: ``profile`` is the host's, or the guest's opposite; ``binding`` as above.

    A host of somebody else's that claims to be like none of ours has no profile.
    """

    side: Literal["guest", "host"]
    peer: str
    profile: str | None
    binding: frozenset[str]
