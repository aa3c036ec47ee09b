# SPDX-License-Identifier: MIT
"""One wrong host: what it does wrong, and which cases are there to catch that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from sim.conformance.case import HostCase, NotOffered
from sim.conformance.host_port import HostUnderTest
from sim.conformance.own_host import OwnHost


class WrongHost(msgspec.Struct, frozen=True, kw_only=True):
    """A host of ours with something wrong.

    ``does`` completes "a host that …". ``catches`` are the ids of cases that catch it; it is put to
    a case that needs knobs of its own only if that is one of them. ``wrap`` changes what passes,
    ``knobs`` what the host does by itself. ``version`` is one at which it shows.
    """

    id: str
    does: str
    catches: tuple[str, ...]
    wrap: Callable[[HostUnderTest], HostUnderTest] | None = None
    profile: str = "hyperv"
    knobs: Mapping[str, object] = MappingProxyType({})
    version: str = "1.4"

    def made(self, case: HostCase, _version: str) -> HostUnderTest:
        """A fresh one for a case. Raises NotOffered where it cannot be put to it."""
        if case.knobs and case.id not in self.catches:
            raise NotOffered("what is wrong with this host has nothing to do with how it is set up")
        host = OwnHost(self.profile, case.bus, {**case.knobs, **self.knobs})
        return host if self.wrap is None else self.wrap(host)
