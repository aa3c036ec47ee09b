# SPDX-License-Identifier: MIT
"""What a device's life costs: offered, scanned, bound, interrupting, ejected, rescinded.

One life is measured inside a VM that is already up, many lives one after another; then many
devices at once, to see whether cost and memory per device stay flat. Wall-clock results only; the
unit of cost is a timeout of bare simpy, measured in the same run.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from protocol.link import ConfigRead, ConfigWritten
from sim.bench.unit import simpy_timeouts_per_s
from sim.scenario import Scenario
from sim.scenario_reader import parse_scenario
from sim.world import World, play

ROUNDS = 5  # the best counts: others share the machine
LIVES = 40  # in one VM; its boot is a few messages among a thousand
INTERRUPTS = 8  # of one life: the driver's first command on each of two queues, then three more
VECTORS_PER_VCPU = 128  # an x86 CPU has about 200 for devices; some room for spreading
# Many devices have unmanaged vectors: a managed one is reserved on every CPU of its mask
# (irq_matrix_reserve_managed()), so no number of vCPUs makes room for 2,000 devices' of those.
DEFAULT_DEVICES = (10, 100, 1000, 2000)

_ONE = """
name = "life"
story = "One device lives {lives} times."
[[device]]
name = "nvme0"
profile = "nvme-ssd"
vectors = 2
[[actor]]
name = "administrator"
steps = [{{ repeat = {lives}, steps = [
  {{ do = "offer", device = "nvme0" }},
  {{ wait = "driver-bound", device = "nvme0" }},
  {{ do = "submit", device = "nvme0", count = 3 }},
  {{ do = "eject", device = "nvme0" }},
  {{ wait = "rescinded", device = "nvme0" }},
  {{ after_ns = 10_000_000 }},
] }}]
"""

_MANY = """
name = "lives"
story = "{devices} devices live at once."
[guest]
vcpus = {vcpus}
[host]
pcpus = {vcpus}
[[device]]
name = "nvme"
profile = "nvme-ssd"
driver = "generic"
vectors = 2
count = {devices}
[[actor]]
name = "administrator"
steps = [
  {{ do = "offer", device = "nvme" }},
  {{ wait = "driver-bound", device = "nvme" }},
  {{ do = "submit", device = "nvme", count = 3 }},
  {{ do = "eject", device = "nvme" }},
  {{ wait = "rescinded", device = "nvme" }},
]
"""


def measure(devices: Sequence[int] = DEFAULT_DEVICES) -> dict[str, Any]:
    """One document as ``bench lifecycle --json`` prints it; counts are of one life."""
    unit = simpy_timeouts_per_s()
    lives = one_life(lives=LIVES)
    per_life_s = min(timed(lives) for _ in range(ROUNDS)) / LIVES
    result = play(lives)
    kinds = [type(stamped.event) for stamped in result.trace]
    return {
        "lifecycles_per_s": 1 / per_life_s,
        "timeouts_per_lifecycle": per_life_s * unit,
        "messages": len(result.messages) / LIVES,
        "config_accesses": sum(kind in (ConfigRead, ConfigWritten) for kind in kinds) / LIVES,
        "by_devices": [_at_once(count) for count in devices],
        "simpy_timeouts_per_s": unit,
    }


def one_life(*, lives: int) -> Scenario:
    """One device that lives so many times, one life after another."""
    return scenario_of(_ONE.format(lives=lives))


def scenario_of(text: str) -> Scenario:
    """A benchmark's own scenario."""
    return parse_scenario(text, source="bench", folder=Path())


def timed(scenario: Scenario, clock: Callable[[], float] = perf_counter) -> float:
    """Seconds of a run, judged as strictly as any. Raises RuntimeError if it is not clean."""
    world = World(scenario)
    gc.collect()
    begin = clock()
    verdict = world.run()
    seconds = clock() - begin
    if verdict.violation is not None:
        raise RuntimeError(f"the benchmark's own run failed: {verdict.violation.message}")
    return seconds


def _at_once(devices: int) -> dict[str, Any]:
    """Seconds and bytes per device of ``devices`` lives in one VM; bytes of world and trace."""
    vcpus = max(2, -(-devices * 2 // VECTORS_PER_VCPU))
    scenario = scenario_of(_MANY.format(devices=devices, vcpus=vcpus))
    seconds = min(timed(scenario) for _ in range(ROUNDS if devices <= 100 else 1))
    return {
        "devices": devices,
        "seconds_per_device": seconds / devices,
        "bytes_per_device": held_bytes(scenario) / devices,
    }


def held_bytes(scenario: Scenario) -> int:
    """What a world and its trace hold once it has run."""
    gc.collect()
    tracemalloc.start()
    world = World(scenario)
    world.run()
    gc.collect()
    held, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held
