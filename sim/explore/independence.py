# SPDX-License-Identifier: MIT
"""Which steps of two contexts may change places without any difference. Knows points, no kernel.

Godefroid, "Partial-Order Methods for the Verification of Concurrent Systems" (LNCS 1032, 1996),
chapter 3: two steps are independent if neither enables or disables the other and both orders end
in one state. What is not known to be independent here is not.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sim.choices import Option
from sim.explore.points import touched

LOCKS: Final = frozenset({"lock", "unlock"})


class Step(NamedTuple):
    """What a context of a CPU did, from one point to the next; ``after`` is empty if unknown.

    ``stop`` and ``context`` tell a step that is asleep from the context's later ones.
    """

    context: str
    stop: int
    cpu: int
    before: str
    after: str = ""


NO_CPU: Final = -1  # a host action, an actor, time, a fault: nobody knows what it touches


def step_of(option: Option) -> Step:
    """The step that an option would take, as far as is known beforehand."""
    cpu = getattr(option, "cpu", None)
    return Step(option.name, option.stop, NO_CPU if cpu is None else cpu.index, option.at)


def may_sleep(step: Step) -> bool:
    """Whether the step is independent of any other: from a lock or unlock to another, on a CPU."""
    ends = (step.before, step.after)
    return step.cpu != NO_CPU and all(point.partition(" ")[0] in LOCKS for point in ends)


def independent(one: Step, other: Step) -> bool:
    """Whether two steps that are both possible commute.

    They do if they run on different CPUs, each from one lock or unlock to another, and no lock is
    touched by both. At an unlock the lock was let go in the step before, so both ends count.

    Model: between its points a context is taken to touch only what its locks guard and what is its
    own. Every other touch of shared state has a point of its own, but for configuration accesses,
    registers and hypercalls: those are taken to commute under different locks.
    """
    if one.cpu == other.cpu or not may_sleep(one) or not may_sleep(other):
        return False
    things = {touched(one.before), touched(one.after)}
    return things.isdisjoint({touched(other.before), touched(other.after)})
