# SPDX-License-Identifier: MIT
"""The reference guest's wire beside the real driver's: every scenario, in natural order.

Run with ``python -m benchmarks.honesty --tree TREE [--protocol V]… [SCENARIO…]``. Each scenario is
played by both guests at each version, and what crossed between guest and host is compared byte by
byte. A line each: equal, equal but for differences that have a name (``sim/wire_rules.py``), or
different, with the first thing that differs; the exit status is 1 if any is different.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from guest.native.errors import BuildError
from sim.honesty import DIFFERENT, measure, playable
from sim.native import native_guests
from sim.scenario_grammar import PROTOCOLS
from sim.scenario_reader import built_in_names


def main() -> None:
    """Print a line for each run, and how many there are of each kind."""
    parser = argparse.ArgumentParser(description="the model's wire beside the real driver's")
    parser.add_argument("scenarios", nargs="*", default=built_in_names(), metavar="SCENARIO")
    parser.add_argument("--tree", required=True)
    parser.add_argument("--driver-file")
    parser.add_argument("--protocol", action="append", choices=PROTOCOLS)
    asked = parser.parse_args()
    try:
        guests = native_guests(asked.tree, asked.driver_file)
    except BuildError as error:
        sys.exit(str(error))
    results = Counter[str]()
    for version, scenario in playable(asked.scenarios, asked.protocol or PROTOCOLS):
        name, _, result, lines = measure(scenario, version, guests)
        results[result] += 1
        inside = ", ".join(lines) if result != DIFFERENT else ""
        print(f"{name:<30} {version}  {result:<9} {inside}".rstrip(), flush=True)
        for line in lines if result == DIFFERENT else ():
            print(f"    {line}", flush=True)
    print(", ".join(f"{count:,} {result}" for result, count in sorted(results.items())))
    sys.exit(bool(results[DIFFERENT]))


if __name__ == "__main__":
    main()
