# SPDX-License-Identifier: MIT
"""How many interrupt vectors each vCPU holds at the end of a trace.

Usage: python examples/vectors_per_cpu.py TRACE (written by vpcisim run --trace)
"""

import sys
from collections import Counter
from pathlib import Path

from guest.kernel.irq_events import VectorAllocated, VectorFreed
from sim.trace import Trace, read_trace


def vectors_per_cpu(trace: Trace) -> Counter[int]:
    """Vectors allocated and not freed, by Linux's CPU number."""
    held: Counter[int] = Counter()
    for stamped in trace.events:
        if isinstance(stamped.event, VectorAllocated):
            held[stamped.event.cpu] += 1
        elif isinstance(stamped.event, VectorFreed):
            held[stamped.event.cpu] -= 1
    return held


def main() -> None:
    held = vectors_per_cpu(read_trace(Path(sys.argv[1])))
    for cpu, vectors in sorted(held.items()):
        print(f"vCPU {cpu}: {vectors} vectors")
    print(f"largest share over the mean: {max(held.values()) * len(held) / held.total():.2f}")


if __name__ == "__main__":
    main()
