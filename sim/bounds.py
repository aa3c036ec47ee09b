# SPDX-License-Identifier: MIT
"""How far a run may go: steps, silence, lateness. What goes beyond them is stuck."""

from __future__ import annotations

from typing import Final

from guest.kernel.context import Context

STEPS_MAX: Final = 20_000_000  # of one run: sixty-four devices need about 200,000

# Linux's watchdog calls a CPU stuck after twice watchdog_thresh, 10 s.
LOCKUP_NS: Final = 20 * 10**9

# Steps without an event and without time; sixty-four devices need 150. After so many the order
# becomes fair, so that who was only slow gets on; after as many again nobody will.
STILL_STEPS_MAX: Final = 15_000

# Ten times the longest lawful silence, the host's 60 s of eject grace.
QUIET_MAX_NS: Final = 600 * 10**9

# How long a run may be late in all. A second is far from the driver's and the host's own time-outs
# (10 s and 60 s), so that none of them expires for the scheduler's sake; "slow-host" is for that.
STALL_MAX_NS: Final = 10**9


class Stuck(Exception):
    """The run goes on and gets nowhere; ``context`` names who keeps it busy."""

    def __init__(self, message: str, context: str = "everybody") -> None:
        super().__init__(message)
        self.context = context


def too_many_steps() -> Stuck:
    """A run that goes on and on."""
    return Stuck(f"more than {STEPS_MAX} steps")


def locked_up(context: Context) -> Stuck:
    """A context that has kept its CPU for longer than the watchdog allows."""
    assert context.cpu is not None, "who keeps a CPU busy is on it"
    cpu = context.cpu.index
    return Stuck(f"CPU#{cpu} stuck for {LOCKUP_NS // 10**9} s: {context.name}", context.label)
