# SPDX-License-Identifier: MIT
"""Every row about hosts of what OpenVMM's host and client suggest is a case, or says why not."""

from __future__ import annotations

import tomllib
from typing import Final

import msgspec

from sim.conformance.catalogue import HOST_CASES
from tests.house.sources import ROOT

TABLE: Final = ROOT / "tests/data/openvmm-rows-host.toml"
GUESTS_TABLE: Final = ROOT / "tests/data/openvmm-rows-guest.toml"
LAST_ROW: Final = 79
ROWS_OF_HOSTS: Final = (
    *range(1, 8),  # negotiation
    *(11, 12, *range(14, 21)),  # bus and D0
    *(*range(24, 30), 31),  # configuration space
    *range(34, 47),  # resources and power
    *(*range(47, 55), 59),  # interrupts
    *(68, 69, 71),  # leaving
    *range(72, 76),  # flow and faults
)


class Row(msgspec.Struct, forbid_unknown_fields=True):
    """``cases`` are ids of cases for hosts; ``why`` tells what none of them checks."""

    what: str
    cases: list[str] = []
    why: str = ""


def rows() -> dict[int, Row]:
    table = tomllib.loads(TABLE.read_text("utf-8"))
    return {int(number): msgspec.convert(row, Row) for number, row in table.items()}


def test_every_row_that_concerns_hosts_is_there_in_order() -> None:
    assert tuple(rows()) == ROWS_OF_HOSTS


def test_every_row_is_about_hosts_or_about_guests() -> None:
    of_guests = {int(number) for number in tomllib.loads(GUESTS_TABLE.read_text("utf-8"))}
    assert of_guests | set(ROWS_OF_HOSTS) == set(range(1, LAST_ROW + 1))


def test_every_row_has_cases_or_a_reason() -> None:
    assert [n for n, row in rows().items() if not row.what or not (row.cases or row.why)] == []


def test_every_case_that_a_row_names_exists_and_is_named_once() -> None:
    known = {case.id for case in HOST_CASES}
    assert {id_ for row in rows().values() for id_ in row.cases} <= known
    assert [n for n, row in rows().items() if len(set(row.cases)) != len(row.cases)] == []
