# SPDX-License-Identifier: MIT
"""Every row about guests of what OpenVMM's host and client suggest is a case, or says why not."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

from sim.conformance.catalogue import GUEST_CASES

TABLE: Final = Path("tests/data/openvmm-rows-guest.toml")
ROWS_OF_GUESTS: Final = frozenset(
    (
        *(8, 9, 10, 13, 21, 22, 23, 30, 32, 33, 55, 56, 57, 58),
        *(*range(60, 68), 70, 76, 77, 78, 79),
    )
)
ROWS_OF_BOTH: Final = frozenset((12, 15, 20, 59))
HOST_ROWS_WITH_A_GUESTS_HALF: Final = frozenset((4, 14, 71, 75))


def rows() -> dict[int, dict[str, Any]]:
    return {int(number): row for number, row in tomllib.loads(TABLE.read_text()).items()}


def test_every_row_that_concerns_guests_is_there_in_order() -> None:
    due = ROWS_OF_GUESTS | ROWS_OF_BOTH | HOST_ROWS_WITH_A_GUESTS_HALF
    assert list(rows()) == sorted(due)


def test_every_row_has_cases_or_a_reason_and_never_both() -> None:
    assert [n for n, row in rows().items() if bool(row.get("cases")) == bool(row.get("why"))] == []
    assert [n for n, row in rows().items() if not row["what"]] == []


def test_every_case_that_a_row_names_exists() -> None:
    known = {case.id for case in GUEST_CASES}
    named = {id_ for row in rows().values() for id_ in row.get("cases", ())}
    assert named - known == set()
