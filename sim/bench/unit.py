# SPDX-License-Identifier: MIT
"""The unit in which the benchmarks state cost: one timeout of bare simpy on this machine."""

from collections.abc import Generator
from time import perf_counter
from typing import Any

import simpy

PROCESSES = 10
TIMEOUTS_EACH = 20_000
ROUNDS = 5  # the best counts: others share the machine


def simpy_timeouts_per_s() -> float:
    """Timeouts per second of ten processes that each wait 20,000 times; best of five rounds."""
    return PROCESSES * TIMEOUTS_EACH / min(_round_s() for _ in range(ROUNDS))


def _waits(env: simpy.Environment) -> Generator[simpy.Event, Any, None]:
    for _ in range(TIMEOUTS_EACH):
        yield env.timeout(1)


def _round_s() -> float:
    env = simpy.Environment()
    for _ in range(PROCESSES):
        env.process(_waits(env))
    begin = perf_counter()
    env.run()
    return perf_counter() - begin
