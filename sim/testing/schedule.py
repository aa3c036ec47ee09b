# SPDX-License-Identifier: MIT
"""The schedule file of a test: one failing order of its body. Knows no pytest."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from sim.schedule import BODY_FORMAT, Order, read_order


class BodySchedule(Order, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order in which a test's body fails. ``test`` is its node id, with the version.

    Where the body runs several worlds the order is of all of them, one after the other.
    """

    form: str = msgspec.field(name="format", default=BODY_FORMAT)
    test: str

    @property
    def story(self) -> str:
        """The test's name and parameters, as a file can be named."""
        return re.sub(r"[^\w.]+", "-", self.test.rpartition("::")[2]).strip("-")


def read_body_schedule(path: Path) -> BodySchedule:
    """Read a file. Raises ScheduleError, whatever is wrong with it."""
    return read_order(path, BodySchedule, form=BODY_FORMAT, command="pytest")
