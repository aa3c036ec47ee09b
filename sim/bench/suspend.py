# SPDX-License-Identifier: MIT
"""What a device's hibernation costs: suspended with its VM and resumed, from one device to many.

A VM's run with cycles is measured against the same without, in seconds of this process's processor
time: of a difference little would be left if others who share the machine counted. The unit of cost
is a timeout of bare simpy, measured in the same run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from time import process_time
from typing import Any, Final

from protocol.link import ConfigRead, ConfigWritten
from sim.bench.lifecycle import ROUNDS, VECTORS_PER_VCPU, held_bytes, scenario_of, timed
from sim.bench.unit import simpy_timeouts_per_s
from sim.result import RunResult
from sim.scenario import Scenario
from sim.world import play

DEFAULT_DEVICES: Final = (1, 10, 100, 500)
ROUNDS_OF_MANY: Final = 2
CYCLES_OF_DEVICES: Final = 64  # of one run at least: a single cycle is lost in the noise

# Vectors that are unmanaged and given up meanwhile: the last CPU has no room for a thousand.
_CYCLES: Final = """
name = "cycles"
story = "A VM with {devices} devices hibernates {cycles} times."
[guest]
vcpus = {vcpus}
[host]
pcpus = {vcpus}
[[device]]
name = "nic{number}x"
profile = "nic-vf"
driver = "nic-vf"
vectors = 2
count = {devices}
[[actor]]
name = "administrator"
steps = [{{ do = "offer", device = "nic{number}x" }}]
[[actor]]
name = "user"
steps = [
  {{ wait = "driver-bound", device = "nic{number}x" }},
  {steps}
  {{ do = "submit", device = "nic{number}x" }},
]
"""
_STEPS: Final = """{{ repeat = {cycles}, steps = [{{ do = "suspend" }}, {{ do = "resume" }}] }},"""


def measure(devices: Sequence[int] = DEFAULT_DEVICES) -> dict[str, Any]:
    """One document as ``bench lifecycle --cycle suspend --json`` prints it; a lifecycle is one
    device's cycle, at the smallest number of devices, and counts are of one device."""
    unit = simpy_timeouts_per_s()
    numbers = count()
    rows = [_row(number, numbers) for number in devices]
    per_cycle_s = rows[0]["seconds_per_device"]
    still, moved = (play(hibernating(devices[0], n, next(numbers))) for n in (0, 1))
    return {
        "cycle": "suspend",
        "lifecycles_per_s": 1 / per_cycle_s,
        "timeouts_per_lifecycle": per_cycle_s * unit,
        "messages": (len(moved.messages) - len(still.messages)) / devices[0],
        "config_accesses": (_accesses(moved) - _accesses(still)) / devices[0],
        "by_devices": rows,
        "simpy_timeouts_per_s": unit,
    }


def _accesses(result: RunResult) -> int:
    kinds = [type(stamped.event) for stamped in result.trace]
    return sum(kind in (ConfigRead, ConfigWritten) for kind in kinds)


def hibernating(devices: int, cycles: int, number: int) -> Scenario:
    """So many devices that are suspended and resumed so often.

    Devices are named by ``number``: what the process remembers of other buses is of no use then,
    and few devices cost no less than many for that reason.
    """
    return scenario_of(
        _CYCLES.format(
            devices=devices,
            cycles=cycles,
            number=number,
            vcpus=max(2, -(-devices * 2 // VECTORS_PER_VCPU)),
            steps=_STEPS.format(cycles=cycles) if cycles else "",
        )
    )


def _row(devices: int, numbers: Iterator[int]) -> dict[str, Any]:
    """Seconds of one device's cycle among so many; bytes of world and trace after one cycle."""
    cycles = max(1, CYCLES_OF_DEVICES // devices)
    rounds = ROUNDS if devices <= 100 else ROUNDS_OF_MANY
    with_s, without_s = (
        min(
            timed(hibernating(devices, repeated, next(numbers)), process_time)
            for _ in range(rounds)
        )
        for repeated in (cycles, 0)
    )
    held = held_bytes(hibernating(devices, 1, next(numbers)))
    return {
        "devices": devices,
        "seconds_per_device": (with_s - without_s) / cycles / devices,
        "bytes_per_device": held / devices,
    }
