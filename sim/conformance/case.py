# SPDX-License-Identifier: MIT
"""One case of the suite, for a host or for a guest, and what a check may find.

A case is data and one small function. Knows neither how a peer is reached nor how an outcome is
shown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from protocol.versions import VPCI_1_1, VPCI_1_2, VPCI_1_3, VPCI_1_4

if TYPE_CHECKING:
    from sim.conformance.host_bench import HostBench
    from sim.conformance.seen import Seen

Strength: TypeAlias = Literal["must", "linux", "hyperv", "openvmm", "unknown"]
"""Whose rule it is: every peer's, that of Linux's guest, of Windows hosts as Linux expects them, of
OpenVMM's host; ``unknown``: no source establishes it, so what is seen is told and never a failure.
"""

STRENGTHS: Final = ("must", "linux", "hyperv", "openvmm", "unknown")
ALL: Final = tuple(dialect.name for dialect in (VPCI_1_1, VPCI_1_2, VPCI_1_3, VPCI_1_4))
FROM_1_2: Final = ALL[1:]
FROM_1_3: Final = ALL[2:]
ONCE: Final = ALL[-1:]
"""What VMBus does is the same at all of them, and some lives are long."""
UNSOURCED: Final = "none: no source tells what a Windows host does"
"""The source of a case of strength ``unknown``, where there is no more to say."""


NOTHING_MORE: Final = -1
"""The place of what a host's check waited for in vain, where no message can be named for it."""


class Nonconforming(Exception):
    """The peer did not do what the case asks for; one line that says what was seen instead.

    ``at`` is the place in the trace of the first message that differs, or of the message that
    nothing came of. None: a guest's check waited in vain, a host's looks at what came last.
    """

    def __init__(self, why: str, at: int | None = None) -> None:
        super().__init__(why)
        self.at = at


class NotOffered(Exception):
    """The peer cannot be put to this case, or not here; one line that says what is missing."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What every case says.

    ``id`` is unique among cases of both sides. ``versions`` are the agreed versions it applies to.
    ``given``, ``when`` and ``then`` are a sentence each, without the full stop. ``source`` says
    where the rule comes from.
    """

    id: str
    strength: Strength
    given: str
    when: str
    then: str
    source: str
    versions: tuple[str, ...] = ALL


class HostCase(Case, frozen=True, kw_only=True):
    """A case for a host. ``bus`` is what it must offer, a name of ``own_host.BUSES``.

    ``knobs`` are those of ``host.knobs`` that the case needs turned; what is no host of ours, and
    cannot be set up so, raises NotOffered where it is made. The check ``begins`` with an open
    channel, or before any offer was looked for. ``broken_by`` gives, by profile, why a host of that
    profile is known not to keep the rule.
    """

    check: Callable[[HostBench], None]
    begins: Literal["opened", "connected"] = "opened"
    bus: str = "one"
    knobs: dict[str, object] = {}
    broken_by: dict[str, str] = {}


class GuestCase(Case, frozen=True, kw_only=True):
    """A case for a guest: a host plays ``scenario`` to it, and ``check`` reads what was seen.

    ``scenario`` is TOML as in a scenario file, without name and story; without a device it gets
    ``nvme0``, an NVMe SSD with its driver. The guest ``offers`` the version that the case is played
    at, and no other, or all ``up-to`` it. What is ``about`` VMBus, its rings and signals among it,
    is no matter of a guest in another process, for which vpcisim plays all of that.
    """

    scenario: str
    check: Callable[[Seen], None]
    about: Literal["vpci", "vmbus"] = "vpci"
    offers: Literal["one", "up-to"] = "one"
