# SPDX-License-Identifier: MIT
"""How what is asked for on the command line changes a scenario.

Each function takes a scenario and gives another; applying one twice is applying it once. Knows no
command and no file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from guest.defects.record import Defect
from protocol.versions import LINUX_VPCI_VERSIONS, VPCI_DIALECTS
from sim.scenario import FaultSpec, Scenario, fault_field

_LINUX_OFFERS: Final = tuple(VPCI_DIALECTS[version].name for version in LINUX_VPCI_VERSIONS)


def with_options(
    scenario: Scenario, *, protocol: str | None, profile: str | None, device: Path | None
) -> Scenario:
    """One version offered, one kind of host, one device file in place of all devices."""
    if protocol is not None:
        scenario = replace(scenario, guest=replace(scenario.guest, protocol=(protocol,)))
    if profile is not None:
        scenario = replace(scenario, host=replace(scenario.host, profile=profile))
    if device is not None:
        devices = tuple(
            replace(one, profile=None, capture=device, driver="auto", path="")
            for one in scenario.devices
        )
        # Where it was the device that made a step impossible, the file alone is not to blame.
        source = f"{scenario.source} with --device {device}"
        scenario = replace(scenario, devices=devices, source=source)
    return scenario


def with_faults(scenario: Scenario, faults: Iterable[str]) -> Scenario:
    """Each of these faults (``ring-full``) may happen, at least once a run."""
    return replace(scenario, faults=_with_at_least(scenario.faults, dict.fromkeys(faults, 1)))


def with_needs(scenario: Scenario, defects: Iterable[Defect]) -> Scenario:
    """The host, the faults and the versions that these historical bugs need in order to show.

    Of the versions that both know, the first that the scenario offers.
    """
    for defect in defects:
        host = scenario.host
        host = replace(
            host,
            knobs=MappingProxyType({**host.knobs, **defect.knobs}),
            latency_ns=MappingProxyType({**host.latency_ns, **defect.latency_ns}),
        )
        faults = _with_at_least(scenario.faults, defect.faults)
        offered = tuple(v for v in scenario.guest.protocol if v in defect.protocol)
        guest = replace(scenario.guest, protocol=offered) if offered else scenario.guest
        scenario = replace(scenario, host=host, faults=faults, guest=guest)
    return scenario


def with_whole_offer(scenario: Scenario) -> Scenario:
    """For a driver that offers every version it knows, and cannot be told otherwise.

    What the scenario's guest would not offer, the host refuses, as an older one does.
    """
    offered = scenario.guest.protocol
    withheld = tuple(v for v in _LINUX_OFFERS if v not in offered)
    knobs = scenario.host.knobs
    refused = (*knobs.get("refused_versions", ()), *withheld)
    return replace(
        scenario,
        guest=replace(scenario.guest, protocol=_LINUX_OFFERS),
        host=replace(
            scenario.host,
            knobs=MappingProxyType({**knobs, "refused_versions": tuple(dict.fromkeys(refused))}),
        ),
    )


def _with_at_least(faults: FaultSpec, least: Mapping[str, int]) -> FaultSpec:
    """Each of the named faults may happen so often, if it may not more often already."""
    fields = {fault_field(name): count for name, count in least.items()}
    more = {field: max(count, getattr(faults, field)) for field, count in fields.items()}
    return replace(faults, **more)
