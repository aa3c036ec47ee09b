# SPDX-License-Identifier: MIT
"""Whether a device can play a scenario's steps: what they ask of it that it does not have.

Looks at a profile and at steps; knows neither files nor worlds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from host.devices.profile import DeviceProfile
from sim.scenario import Do, Scenario, Step, Wait


def what_it_lacks(scenario: Scenario, profile: DeviceProfile) -> str | None:
    """What the scenario's steps ask for and the device has not, with the first such step; None
    where it has all of it. The profile stands for every device of the scenario."""
    for step in (step for actor in scenario.actors for step in actor.steps):
        for lack in _lacks(step, profile):
            return f"{lack}, which {step.path} asks for"
    return None


def _lacks(step: Step, profile: DeviceProfile) -> Iterator[str]:
    if isinstance(step, Wait) and step.event in _NEED_INTERRUPTS and _vectors(profile) == 0:
        yield "it has neither MSI-X nor MSI, so no interrupts and no function driver"
    if isinstance(step, Do) and step.verb in _NEEDS:
        yield from _NEEDS[step.verb](step, profile)


def _vectors(profile: DeviceProfile) -> int:
    """MSI-X vectors, or else MSI's; INTx does not exist on vPCI."""
    return profile.msix.vectors if profile.msix else profile.msi_vectors


def _vector(step: Do, profile: DeviceProfile) -> Iterator[str]:
    """A device without any vector just stays silent; one that has too few cannot be meant."""
    vector, has = step.arguments["vector"], _vectors(profile)
    if 0 < has <= vector:
        yield f"it has {has} interrupt vector{'s' * (has > 1)} and no vector {vector}"


def _block(step: Do, profile: DeviceProfile) -> Iterator[str]:
    if step.arguments["block"] not in dict(profile.blocks):
        yield f"it has no configuration block {step.arguments['block']}"


def _blocks(_step: Do, profile: DeviceProfile) -> Iterator[str]:
    if not profile.blocks:
        yield "it has no configuration blocks"


# A sample function driver binds once it has an interrupt vector, and not without.
_NEED_INTERRUPTS: Final = frozenset(
    {"driver-bound", "interrupt-delivered", "interrupt-handled", "msi-composed"}
)
_NEEDS: Final[Mapping[str, Callable[[Do, DeviceProfile], Iterator[str]]]] = {
    "interrupt": _vector,
    "set-affinity": _vector,
    "read-block": _block,
    "write-block": _block,
    "invalidate-block": _blocks,
}
