# SPDX-License-Identifier: MIT
"""Model faults: what would oops, hang or corrupt a real kernel, raised where it happens.

Guest code never catches them: the run ends at that line. The ``kind`` words are those of the
violation record that the command line prints.
"""


class GuestFault(Exception):
    """The guest kernel broke a rule of its own; ``kind`` names which.

    ``culprit`` is the object that it is about, for whoever keeps objects' histories; or None.
    """

    kind = "crash"

    def __init__(self, message: str, culprit: object = None) -> None:
        super().__init__(message)
        self.culprit = culprit

    def stacks(self) -> dict[str, tuple[str, ...]]:
        """Stacks that only the fault itself knows, by what was done there, innermost first."""
        return {}


class UseAfterFree(GuestFault):
    kind = "use-after-free"


class DoubleFree(GuestFault):
    kind = "double-free"


class DeadStack(GuestFault):
    """An object that lived on a context's stack was touched after the frame had returned."""

    kind = "dead-stack"


class ListCorruption(GuestFault):
    kind = "list-corruption"


class RefCountUnderflow(GuestFault):
    kind = "refcount"


class SleepInAtomic(GuestFault):
    kind = "sleep-in-atomic"


class NullDereference(GuestFault):
    kind = "null-dereference"


class OutOfBounds(GuestFault):
    kind = "out-of-bounds"


class Uninitialised(GuestFault):
    """A value was read that nobody had written: what happened to lie in memory before."""

    kind = "uninitialised"


class WildCall(GuestFault):
    """A function was called through an address at which none is."""

    kind = "crash"


class EndlessLoop(GuestFault):
    """A loop whose end depends on the host was entered, and the host has seen to it that it has
    none.

    Model: raised at once, where Linux goes round and round.
    """

    kind = "hang"


class LockMisuse(GuestFault):
    """Unlocking what is not held, or taking again what this context holds (self-deadlock)."""

    kind = "deadlock"


class SoftirqsLetIn(GuestFault):
    """Softirqs were allowed again where interrupts are off: they could run right there."""

    kind = "warning"


class AtomicLeak(GuestFault):
    """A context ended with a lock held, or with interrupts, softirqs or preemption still off."""

    kind = "warning"
