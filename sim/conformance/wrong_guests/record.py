# SPDX-License-Identifier: MIT
"""A guest that does one thing wrong on purpose, as data: what it does, and what puts it there.

The clean guest is the reference model; what is wrong is a mixin in front of one of its parts, as a
historical bug's is. Knows no case but by id.
"""

from __future__ import annotations

from typing import NamedTuple

from guest.defects.record import Mixin


class WrongGuest(NamedTuple):
    """``caught_by`` is the one ``must`` case that it does not pass.

    ``does`` completes "a guest that". ``version`` is the one it is played at.
    """

    caught_by: str
    does: str
    mixins: tuple[Mixin, ...]
    version: str = "1.4"


def driver(caught_by: str, does: str, cls: type, version: str = "1.4") -> WrongGuest:
    """A guest whose vPCI driver is wrong."""
    return WrongGuest(caught_by, does, (Mixin("driver", cls),), version)


def vmbus(caught_by: str, does: str, cls: type) -> WrongGuest:
    """A guest whose VMBus is wrong."""
    return WrongGuest(caught_by, does, (Mixin("vmbus", cls),))
