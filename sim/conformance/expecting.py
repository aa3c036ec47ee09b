# SPDX-License-Identifier: MIT
"""How a check says what it expected and what it saw instead. Knows no peer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sim.conformance.answers import Answer
from sim.conformance.case import Nonconforming, NotOffered

FAILURE: Final = 1 << 31  # the sign of an NTSTATUS


@contextmanager
def reaching(where: str) -> Iterator[None]:
    """Turn what does not conform in here into NotOffered: the case begins only after it."""
    try:
        yield
    except Nonconforming as wrong:
        raise NotOffered(f"the host does not get as far as {where}: {wrong}") from None


def expect(what: str, actual: object, expected: object) -> None:
    """Raise Nonconforming unless the two are equal; numbers are told in hexadecimal."""
    if actual != expected:
        raise Nonconforming(f"{what} is {_told(actual)}, not {_told(expected)}")


def expect_refused(what: str, answer: Answer) -> None:
    """Raise Nonconforming unless the completion's status is a failure."""
    if not answer.status & FAILURE:
        raise Nonconforming(f"the status of {what} is {answer.status:#x}, no failure")


def _told(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "nothing"
    if isinstance(value, bool) or not isinstance(value, int):
        return str(value)
    return f"{value:#x}"
