# SPDX-License-Identifier: MIT
"""The story of a finished world: errors, messages, what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guest.events import (
    BusStateChanged,
    CommandFailed,
    EjectCompleted,
    FunctionReturned,
    KernelCrashed,
    VersionNegotiated,
)
from guest.pci_core.events import DriverProbeFailed
from sim.messages import messages_of
from sim.result import Final, GuestError, RunResult, Verdict
from sim.trace import Stamped

if TYPE_CHECKING:
    from sim.world import World


def summarise(world: World, verdict: Verdict, seed: int) -> RunResult:
    """The story of a world that has run to its end."""
    trace = world.trace()
    return RunResult(
        scenario=world.scenario.name,
        driver=world.driver,
        seed=seed,
        protocol=_negotiated(trace),
        profile=world.scenario.host.profile,
        verdict=verdict.verdict,
        violation=verdict.violation,
        known=verdict.known,
        explained=verdict.explained,
        errors=tuple(_errors(trace)),
        messages=tuple(messages_of(trace)),
        final=Final(_bus_states(world, trace), _devices(world), verdict.leaks),
        ended_at_ns=world.engine.now_ns(),
        trace=trace,
        log=tuple(line for guest in world.machine.kernels for line in guest.kernel.log_lines),
    )


def _negotiated(trace: tuple[Stamped, ...]) -> str | None:
    for stamped in reversed(trace):
        if isinstance(stamped.event, VersionNegotiated):
            return stamped.event.version
    return None


def _errors(trace: tuple[Stamped, ...]) -> list[GuestError]:
    return [error for stamped in trace if (error := _error(stamped.event)) is not None]


def _error(event: object) -> GuestError | None:
    """What a guest function came back with, if that was an error."""
    if isinstance(event, FunctionReturned) and event.errno:
        return GuestError(event.function, event.errno)
    if isinstance(event, CommandFailed):
        return GuestError(event.command, event.errno)
    if isinstance(event, DriverProbeFailed):
        return GuestError(f"{event.driver}_probe", event.errno)
    if isinstance(event, EjectCompleted) and event.errno:
        return GuestError("vmbus_sendpacket", event.errno)  # of PCI_EJECTION_COMPLETE
    return None


def _bus_states(world: World, trace: tuple[Stamped, ...]) -> dict[str, str]:
    """The last state each bus's driver was in, in the last kernel; ``none`` without a driver."""
    states = dict.fromkeys(world.scenario.buses(), "none")
    for stamped in trace:
        if isinstance(stamped.event, KernelCrashed):
            states = dict.fromkeys(states, "none")
        elif isinstance(stamped.event, BusStateChanged):
            bus = world.watch.bus_of(stamped.event)
            if bus is not None:
                states[bus] = stamped.event.state
    return states


def _devices(world: World) -> tuple[dict[str, object], ...]:
    """What the kernel that runs sees; nothing if none does."""
    if not world.machine.alive:
        return ()
    return tuple(
        {
            "address": device.address,
            "vendor": f"{device.vendor:04x}",
            "device": f"{device.device:04x}",
            "driver": device.driver,
        }
        for device in world.machine.guest.devices()
    )
