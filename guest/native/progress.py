# SPDX-License-Identifier: MIT
"""How a build tells how far it is, to whoever wants to know. Knows no build and no terminal."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called when something is done; what it does never changes what is built."""

    def __call__(self, what: str, done: int, total: int) -> None:
        """``what`` is being done: ``done`` of ``total`` parts."""


def silent(what: str, done: int, total: int) -> None:
    """For whom nobody listens."""
