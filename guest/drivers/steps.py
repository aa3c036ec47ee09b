# SPDX-License-Identifier: MIT
"""What a sample function driver does, as data. Executes nothing.

A driver is a table of steps that an interpreter runs: ``interpreter`` for the reference guest, and
any other guest by its own means. Steps and their arguments (numbers are bytes, milliseconds or
plain counts; ``bar`` is 0-5):

=====================  =================================================================
enable-device          decode memory; undone by ``disable-device``
set-master             let the device reach memory
check-alive            ``bar``, ``offset``: all ones there mean that nobody is home (-ENODEV)
write-register         ``bar``, ``offset``, ``value``: four bytes
alloc-vectors          ``min``, ``spread`` ("managed": one queue per CPU, "none"), ``kinds``
                       ("msix", "msi", "msix,msi"); undone by ``free-vectors``
request-irqs           a handler on every vector from number ``from`` on (default 0) up to before
                       ``to`` (default: to the last); undone by ``free-irqs``
submit-and-wait        ring every queue's doorbell, wait for every completion; ``timeout_ms``
read-block             ``block``, ``length``; a failure is noted and does no harm
write-block            ``block``, ``value``: 64 bits, little endian
register-invalidate    be told of stale blocks and read them again; undone by
                       ``unregister-invalidate``
stop-io                refuse new commands and wait for those under way
start-io               take commands again
dawdle                 sleep for as long as the driver's options say (a slow remove)
=====================  =================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

# Queue q's doorbell is at this offset of BAR 0 plus q strides; ringing it completes one command.
DOORBELL_OFFSET: Final = 0x1000
DOORBELL_STRIDE: Final = 8

# What takes back a step that was done, when a later one fails.
UNDO: Mapping[str, str] = {
    "enable-device": "disable-device",
    "alloc-vectors": "free-vectors",
    "request-irqs": "free-irqs",
    "register-invalidate": "unregister-invalidate",
}


class Step(NamedTuple):
    """One thing to do; ``args`` as in the table above."""

    op: str
    args: Mapping[str, int | str] = {}


# What every driver's remove has in common: how it begins, and how it ends.
QUIESCE: Final = (Step("stop-io"), Step("dawdle"))
GIVE_BACK: Final = (Step("free-irqs"), Step("free-vectors"), Step("disable-device"))


class Match(NamedTuple):
    """Which functions a driver takes: ids equal, class (24 bits) equal under the mask.

    An id of None matches any.
    """

    class_code: int
    class_mask: int
    vendor: int | None = None


class DriverTable(NamedTuple):
    """A function driver. ``remove`` is what it does when it has to go, in order.

    ``suspend`` and ``resume`` stand around hibernation. A driver that does not free its vectors in
    the one finds them working in the other.
    """

    name: str
    matches: tuple[Match, ...]
    probe: tuple[Step, ...]
    remove: tuple[Step, ...]
    suspend: tuple[Step, ...] = (Step("stop-io"),)
    resume: tuple[Step, ...] = (Step("start-io"),)


class DriverOptions(NamedTuple):
    """What a scenario may set per device.

    ``vectors``: how many to ask for at most, None for one per CPU. ``rounds``: how often
    ``submit-and-wait`` does its work. ``remove_ms``: how long ``dawdle`` takes. ``spread``
    overrides the table's ("managed" or "none").
    """

    vectors: int | None = None
    rounds: int = 1
    remove_ms: int = 0
    spread: str | None = None
