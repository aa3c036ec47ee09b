# SPDX-License-Identifier: MIT
"""How a check says what it expected and what it saw instead. Knows no peer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import Final

from sim.conformance.answers import Answer, functions_in, names_of, relations_of
from sim.conformance.case import NOTHING_MORE, Nonconforming, NotOffered
from sim.conformance.watched import Received

FAILURE: Final = 1 << 31  # the sign of an NTSTATUS


@contextmanager
def reaching(where: str) -> Iterator[None]:
    """Turn what does not conform in here into NotOffered: the case begins only after it."""
    try:
        yield
    except Nonconforming as wrong:
        raise NotOffered(f"the host does not get as far as {where}: {wrong}") from None


def expect(what: str, actual: object, expected: object, at: int | None = None) -> None:
    """Raise Nonconforming unless the two are equal; numbers are told in hexadecimal.

    ``at`` is the place of what is compared, None for that of what the host gave last.
    """
    if actual != expected:
        raise Nonconforming(f"{what} is {_told(actual)}, not {_told(expected)}", at)


def expect_count(what: str, found: Sequence[Received], count: int) -> None:
    """Raise Nonconforming unless so many packets were found: at the first too many, if any."""
    if len(found) == count:
        return
    too_few = NOTHING_MORE if found else None
    at = found[count].at if len(found) > count else too_few
    raise Nonconforming(f"the number of {what} is {len(found)}, not {count}", at)


def expect_listed(packets: Sequence[Received], *slots: int) -> None:
    """Raise Nonconforming unless one list came, of these slots."""
    lists = relations_of(packets)
    expect_count("lists", lists, 1)
    listed = [function.win_slot for function in functions_in(lists[0].payload)]
    expect("the slots", listed, [*slots], lists[0].at)


def expect_each(
    what: str, packets: Sequence[Received], actual: Sequence[object], expected: Sequence[object]
) -> None:
    """Raise Nonconforming unless what the packets say is expected, one by one: at the first other.

    ``actual`` is what each of them says.
    """
    if actual == expected:
        return
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(actual, expected, strict=False))
    others = packets[len(tuple(alike)) :]
    too_few = NOTHING_MORE if packets else None
    at = others[0].at if others else too_few
    raise Nonconforming(f"{what} is {_told(actual)}, not {_told(expected)}", at)


def expect_came(what: str, packets: Sequence[Received], *names: str) -> None:
    """Raise Nonconforming unless these came and no others: at the first that is another one."""
    expect_each(what, packets, names_of(packets), names)


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
