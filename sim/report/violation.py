# SPDX-License-Identifier: MIT
"""A violation as kernel developers are used to read one: KASAN, lockdep, the hung-task detector.

Headlines and headings are Linux's own words (mm/kasan/report.c, kernel/locking/lockdep.c,
kernel/watchdog.c, kernel/hung_task.c, lib/refcount.c, lib/list_debug.c). What the lab does not have
(addresses, sizes, registers, offsets into functions) is left out and not made up. Knows no trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from sim.labels import function_of, title_of
from sim.violation import Violation, Whose

RULE: Final = "=" * 66

_LAW: Final = "law broken: {law}"
HEADLINES: Final[Mapping[str, str]] = {
    "use-after-free": "BUG: KASAN: slab-use-after-free in {function}",
    "double-free": "BUG: KASAN: double-free in {function}",
    "dead-stack": "BUG: KASAN: stack-use-after-return in {function}",
    "out-of-bounds": "BUG: KASAN: slab-out-of-bounds in {function}",
    "uninitialised": "BUG: KMSAN: uninit-value in {function}",
    "data-race": "BUG: KCSAN: data-race in {function}",
    "list-corruption": "list corruption in {function}",
    "null-dereference": "BUG: kernel NULL pointer dereference in {function}",
    "refcount": "WARNING: refcount_t: use-after-free in {function}",
    "sleep-in-atomic": "BUG: sleeping function called from invalid context in {function}",
    "deadlock": "WARNING: circular locking dependency detected",
    "hang": "INFO: task {task} blocked for ever",
    "crash": "kernel BUG in {function}",
    "warning": "WARNING: in {function}",
    "leak": "BUG: memory leak",
    "protocol": _LAW,
    "wrong-value": _LAW,
    "dead-device-access": _LAW,
    "lost-interrupt": _LAW,
    "lost-device": _LAW,
}
# Kinds that hold several cases, told apart by words of the message.
_NARROWER: Final = (
    ("deadlock", "which it already holds", "WARNING: recursive locking detected"),
    ("deadlock", "which it does not hold", "WARNING: bad unlock balance detected!"),
    ("hang", "CPU#", "watchdog: BUG: soft lockup - {reason}"),
    ("hang", "nothing happened", "INFO: {reason}"),
    ("hang", "more than", "INFO: {reason}"),
    ("hang", "in vain", "INFO: {reason}"),
)
# What is told of each context in turn, since no single one is at fault.
_OF_MANY: Final = frozenset({"deadlock", "hang"})

_HEADINGS: Final[Mapping[str, str]] = {
    "access": "Call trace:",
    "allocated": "Allocated by task {task} at {at}:",
    "freed": "Freed by task {task} at {at}:",
    "waits": "Call trace of {task}:",
}
# The same where nobody has noted who it was, and when.
_NAMELESS: Final[Mapping[str, str]] = {
    "allocated": "Allocated at:",
    "freed": "Freed at:",
    "initialised": "Initialised at:",
    "returned": "Gone since the return at:",
    "earlier": "Raced with:",
}
# The guest kernel's messages about lifetimes, in KASAN's words.
_ACCESSES: Final = (
    (" read after its lifetime", "Read of {what}"),
    (" written after its lifetime", "Write of {what}"),
)


def report_lines(violation: Violation) -> Iterator[str]:
    """Headline, what happened and to whom, stacks; between two rules, as KASAN prints them."""
    yield RULE
    yield headline(violation)
    yield from _happened(violation)
    yield from _stacks(violation)
    yield RULE


def headline(violation: Violation) -> str:
    """One line that names kind and kernel function."""
    reason = violation.message.partition("; ")[0]  # of many parts, what the lab itself says
    narrower = (
        text for kind, words, text in _NARROWER if violation.kind == kind and words in reason
    )
    return next(narrower, HEADLINES[violation.kind]).format(
        function=kernel_function(violation),
        task=title_of(violation.context),
        law=violation.law,
        reason=reason,
    )


def kernel_function(violation: Violation) -> str:
    """Where it happened: the innermost function, or what the context is named after."""
    if violation.stacks and violation.stacks[0]:
        return violation.stacks[0][0]
    return function_of(title_of(violation.context))


def time_of(at_ns: int) -> str:
    """Simulated time as people read it."""
    return f"{at_ns / 1e6:,.3f} ms"


def _happened(violation: Violation) -> Iterator[str]:
    if violation.kind in _OF_MANY:
        yield from (f"  {part}" for part in violation.message.split("; "))
        yield f"noticed at {time_of(violation.at_ns)}"
        return
    at = time_of(violation.at_ns)
    task = title_of(violation.context)
    for words, text in _ACCESSES:
        if violation.message.endswith(words):
            what = violation.message.removesuffix(words)
            yield f"{text.format(what=what)} by task {task} at {at}"
            return
    yield violation.message
    is_task = ":" in violation.context  # a label; not so the host, and the end of the run
    yield f"in task {task} at {at}" if is_task else f"{task}, at {at}"


def _stacks(violation: Violation) -> Iterator[str]:
    access = Whose("access", violation.context, violation.at_ns)
    whoses = violation.whose or (access,) * len(violation.stacks)
    for frames, whose in zip(violation.stacks, whoses, strict=True):
        yield ""
        headings = _HEADINGS if whose.context else _NAMELESS
        yield headings[whose.what].format(task=title_of(whose.context), at=time_of(whose.at_ns))
        yield from (f" {frame}" for frame in frames)
