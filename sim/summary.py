# SPDX-License-Identifier: MIT
"""What a finished world came to: errors, messages, what is left, and the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guest.events import BusStateChanged, FunctionReturned, VersionNegotiated
from guest.pci_core.sysfs import devices as sysfs_devices
from sim.messages import messages_of
from sim.result import Final, GuestError, RunResult
from sim.trace import Stamped
from sim.violation import Leak, Violation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.world import World

# What Linux itself loses, by the open item that says why.
KNOWN_LEAKS: Mapping[str, str] = {"HvPciDev": "O9"}


def summarise(world: World, violation: Violation | None, seed: int) -> RunResult:
    """The result of a world that has run to its end."""
    trace = world.trace()
    leaks = () if violation else _leaks(world)
    known = tuple(sorted({leak.known for leak in leaks if leak.known}))
    if violation is None:
        violation = _judge_leaks(world, leaks)
    verdict = "violation" if violation else "known" if known else "clean"
    return RunResult(
        scenario=world.scenario.name,
        driver="model",
        seed=seed,
        protocol=_negotiated(trace),
        profile=world.scenario.host.profile,
        verdict=verdict,
        violation=violation,
        known=known,
        errors=tuple(_errors(trace)),
        messages=tuple(messages_of(trace)),
        final=Final(_bus_states(world, trace), _devices(world), leaks),
        ended_at_ns=world.engine.now_ns(),
        trace=trace,
        log=tuple(world.guest.kernel.log_lines),
    )


def _leaks(world: World) -> tuple[Leak, ...]:
    lost = world.guest.leaks()
    return tuple(
        Leak(what, count, _known(world, what)) for what, count in sorted(lost.items()) if count
    )


def _known(world: World, what: str) -> str | None:
    item = KNOWN_LEAKS.get(what)
    return item if item in world.scenario.expect.known else None


def _judge_leaks(world: World, leaks: tuple[Leak, ...]) -> Violation | None:
    unknown = [leak for leak in leaks if leak.known is None]
    if not unknown:
        return None
    listed = ", ".join(f"{leak.count} {leak.what}" for leak in unknown)
    return Violation(
        "leak", "nothing is lost", f"left behind: {listed}", "end of run", world.engine.now_ns()
    )


def _negotiated(trace: tuple[Stamped, ...]) -> str | None:
    for stamped in reversed(trace):
        if isinstance(stamped.event, VersionNegotiated):
            return stamped.event.version
    return None


def _errors(trace: tuple[Stamped, ...]) -> list[GuestError]:
    return [
        GuestError(stamped.event.function, stamped.event.errno)
        for stamped in trace
        if isinstance(stamped.event, FunctionReturned) and stamped.event.errno
    ]


def _bus_states(world: World, trace: tuple[Stamped, ...]) -> dict[str, str]:
    """The last state each bus's driver was in; ``none`` for one that never had a driver."""
    states = dict.fromkeys(world.scenario.buses(), "none")
    for stamped in trace:
        if isinstance(stamped.event, BusStateChanged):
            bus = world.watch.bus_of(stamped.event)
            if bus is not None:
                states[bus] = stamped.event.state
    return states


def _devices(world: World) -> tuple[dict[str, object], ...]:
    return tuple(
        {
            "address": device.address,
            "vendor": f"{device.vendor:04x}",
            "device": f"{device.device:04x}",
            "driver": device.driver,
        }
        for device in sysfs_devices(world.guest.pci)
    )
