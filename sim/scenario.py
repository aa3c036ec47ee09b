# SPDX-License-Identifier: MIT
"""A scenario as data: a world, actors, what must come of it. Knows no file, no host and no guest.

Records only. ``sim/scenario_reader.py`` makes them from TOML and ``sim/world.py`` plays them;
everything a scenario leaves out is filled in here, repeats are written out and a counted device has
become that many devices.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import msgspec

from sim.scenario_grammar import DRIVERS, PROFILES, PROTOCOLS

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class ScenarioError(Exception):
    """A scenario that cannot be played as written; one line: file, key, remedy."""

    def __init__(self, source: str, key: str, remedy: str) -> None:
        line = ": ".join(part for part in (source, key, remedy) if part)
        super().__init__(" ".join(line.split()))
        self.source = source
        self.key = key
        self.remedy = remedy


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base: immutable, by name."""


class GuestSpec(_Record, frozen=True, kw_only=True):
    """``protocol`` is what the guest offers, highest first; ``vp_numbers`` the VP of each vCPU.

    Of the VM's ``numa_nodes`` the kernel does without ``offline_nodes``; ``numa`` False means that
    it has one node for everything.

    ``mmio`` are the address ranges for BARs and windows, ascending, both ends included (None: the
    guest's usual ones), and ``framebuffer`` what is kept of the lowest.
    """

    vcpus: int = 2
    arch: str = "x86-64"
    vmbus_cca: str = "absent"
    protocol: tuple[str, ...] = PROTOCOLS
    isolation: str = "none"
    numa_nodes: int = 1
    numa: bool = True
    offline_nodes: tuple[int, ...] = ()
    vp_numbers: tuple[int, ...] = (0, 1)
    mmio: tuple[tuple[int, int], ...] | None = None
    framebuffer: tuple[int, int] | None = None


class HostSpec(_Record, frozen=True, kw_only=True):
    """``knobs`` in the host's own names; ``latency_ns`` windows [earliest, latest] by name;
    both hold only what the scenario changes.
    """

    profile: str = "hyperv"
    pcpus: int = 2
    knobs: Mapping[str, Any] = NOTHING
    latency_ns: Mapping[str, tuple[int, int]] = NOTHING


class DeviceSpec(_Record, frozen=True, kw_only=True):
    """One function. ``bus`` names the offer it is on: itself, or the device whose bus it shares.

    Exactly one of ``profile`` (a built-in's name) and ``capture`` (a file) is set. ``wslot`` is the
    wire's slot number; ``serial`` counts from 1 in the order of the file. ``vectors`` None means
    one for each vCPU. ``driver`` is a sample function driver's name, ``auto`` (whichever matches
    the device) or ``none``. ``path`` says where in the file it stands.
    """

    name: str
    bus: str
    wslot: int = 0
    serial: int = 1
    profile: str | None = None
    capture: Path | None = None
    vectors: int | None = None
    driver: str = "auto"
    rounds: int = 1
    remove_ms: int = 0
    present: bool = True
    numa_node: int | None = None
    path: str = ""


class Do(_Record, frozen=True, kw_only=True):
    """Do ``verb``, on the host's side or the guest's; ``path`` says where in the file it stands."""

    verb: str
    side: str
    device: str | None = None
    arguments: Mapping[str, Any] = NOTHING
    path: str = ""


class Wait(_Record, frozen=True, kw_only=True):
    """Go on once ``event`` (of ``device``, if set) has happened ``count`` times in all."""

    event: str
    device: str | None = None
    count: int = 1
    path: str = ""


class Pause(_Record, frozen=True, kw_only=True):
    """Go on ``ns`` nanoseconds later."""

    ns: int
    path: str = ""


class Moment(_Record, frozen=True, kw_only=True):
    """Go on at some moment of the next ``ns`` nanoseconds; in natural order at the last."""

    ns: int
    path: str = ""


Step: TypeAlias = Do | Wait | Pause | Moment


class ActorSpec(_Record, frozen=True, kw_only=True):
    """Somebody who acts by itself, concurrently with everything else.

    ``vcpu`` is where its steps in the guest run; -1 is the last one.
    """

    name: str
    vcpu: int = -1
    steps: tuple[Step, ...]


class FaultSpec(_Record, frozen=True, kw_only=True):
    """What an explorer may inject, and how often at most a run. A fault's name has hyphens."""

    allocation_failure: int = 0
    ring_full: int = 0
    lost_message: int = 0
    doubled_message: int = 0
    status_code: int = 0
    slow_host: int = 0
    mmio_call_failure: int = 0


def fault_field(name: str) -> str:
    """The field of :class:`FaultSpec` for a fault: ``ring_full`` for ``ring-full``."""
    return name.replace("-", "_")


class ExpectSpec(_Record, frozen=True, kw_only=True):
    """``verdict``: clean, a violation's kind, or an errno's name that the guest must report."""

    verdict: str = "clean"
    known: tuple[str, ...] = ()


class NeedsSpec(_Record, frozen=True, kw_only=True):
    """Which hosts and versions can play it, and why not the others."""

    profile: tuple[str, ...] = PROFILES
    protocol: tuple[str, ...] = PROTOCOLS
    why: str = ""


class Scenario(_Record, frozen=True, kw_only=True):
    """All of it. ``source`` is the file's name as errors give it."""

    name: str
    story: str
    actors: tuple[ActorSpec, ...]
    devices: tuple[DeviceSpec, ...]
    drivers: tuple[str, ...] = DRIVERS
    guest: GuestSpec = GuestSpec()
    host: HostSpec = HostSpec()
    faults: FaultSpec = FaultSpec()
    expect: ExpectSpec = ExpectSpec()
    needs: NeedsSpec = NeedsSpec()
    source: str = ""

    def buses(self) -> dict[str, tuple[DeviceSpec, ...]]:
        """Offers in the file's order, each with its functions by slot."""
        found: dict[str, list[DeviceSpec]] = {}
        for device in self.devices:
            found.setdefault(device.bus, []).append(device)
        return {bus: tuple(sorted(on, key=lambda d: d.wslot)) for bus, on in found.items()}

    def device(self, name: str) -> DeviceSpec:
        """The device of that name; KeyError if there is none."""
        for device in self.devices:
            if device.name == name:
                return device
        raise KeyError(name)


# What a profile can never play, whatever the scenario is about (openvmm.md: sections 1.2, 1.3).
_PROFILE_LACKS_PROTOCOL: Final[Mapping[str, Mapping[str, str]]] = {
    "openvmm": {"1.1": "the openvmm profile refuses protocol 1.1"},
}
_PROFILE_LACKS_STEP: Final[Mapping[str, Mapping[str, str]]] = {
    "openvmm": {
        "eject": "the openvmm profile never ejects",
        "relations": "the openvmm profile has one function on each bus and never changes its list",
        "invalidate-block": "the openvmm profile has no configuration blocks",
        "read-block": "the openvmm profile has no configuration blocks",
        "write-block": "the openvmm profile has no configuration blocks",
    },
}

# What a guest can never play.
_DRIVER_LACKS_STEP: Final[Mapping[str, Mapping[str, str]]] = {
    "kernel": {
        "boot": "the real driver's library holds one kernel, and boots none beside a dead one"
    },
}


def why_unplayable(scenario: Scenario, *, protocol: str, profile: str, driver: str) -> str | None:
    """The reason why this combination cannot be played, or None."""
    reason = why_driver_cannot(scenario, driver)
    if reason:
        return reason
    if profile not in scenario.needs.profile or protocol not in scenario.needs.protocol:
        return scenario.needs.why
    reason = _PROFILE_LACKS_PROTOCOL.get(profile, {}).get(protocol)
    if reason:
        return reason
    return why_profile_cannot(scenario, profile)


def why_profile_cannot(scenario: Scenario, profile: str) -> str | None:
    """The reason why this host cannot do what the scenario asks of it, or None."""
    lacks = _PROFILE_LACKS_STEP.get(profile, {})
    reason = _lacked(scenario, lacks)
    if reason:
        return reason
    if lacks and any(len(functions) > 1 for functions in scenario.buses().values()):
        return lacks["relations"]
    return None


def why_driver_cannot(scenario: Scenario, driver: str) -> str | None:
    """The reason why this guest cannot do what the scenario asks of it, or None."""
    if driver in DRIVERS and driver not in scenario.drivers:  # others say themselves what they lack
        return f"it can be played by {' or '.join(scenario.drivers)} only"
    return _lacked(scenario, _DRIVER_LACKS_STEP.get(driver, {}))


def drivers_of(scenario: Scenario) -> tuple[str, ...]:
    """The guests that can play it."""
    return tuple(each for each in scenario.drivers if why_driver_cannot(scenario, each) is None)


def _lacked(scenario: Scenario, lacks: Mapping[str, str]) -> str | None:
    """Why the first step that is lacking is lacking, or None."""
    steps = (step for actor in scenario.actors for step in actor.steps)
    verbs = (step.verb for step in steps if isinstance(step, Do))
    return next((lacks[verb] for verb in verbs if verb in lacks), None)
