# SPDX-License-Identifier: MIT
"""Every statement of the wire notes has conformance cases that check it, or says why not."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

from sim.conformance.catalogue import GUEST_CASES, HOST_CASES
from tests.house.wire_notes import reasons, statements

TABLE: Final = Path("tests/data/wire-notes-cases.toml")
REASONS: Final = "no-case"
ALL_CASES: Final = (*HOST_CASES, *GUEST_CASES)


def table() -> dict[str, dict[str, Any]]:
    return tomllib.loads(TABLE.read_text())


def told() -> dict[str, list[str] | str]:
    """The cases of each statement, or the name of the reason that it has none, by its id."""
    return {
        bullet + letter: what
        for bullet, letters in table().items()
        if bullet != REASONS
        for letter, what in letters.items()
    }


def checked() -> dict[str, list[str]]:
    return {id_: what for id_, what in told().items() if isinstance(what, list)}


def excused() -> dict[str, str]:
    return {id_: what for id_, what in told().items() if isinstance(what, str)}


def named() -> set[str]:
    return {case for cases in checked().values() for case in cases}


def test_every_statement_is_there_in_order_and_nothing_else() -> None:
    assert list(told()) == [statement.id for statement in statements()]


def test_no_statement_has_an_empty_list_or_a_case_twice() -> None:
    wrong = [id_ for id_, cases in checked().items() if not cases or len(set(cases)) < len(cases)]
    assert wrong == []


def test_every_case_that_a_statement_names_exists() -> None:
    assert named() - {case.id for case in ALL_CASES} == set()


def test_a_case_that_judges_nobody_checks_no_statement() -> None:
    assert named() & {case.id for case in ALL_CASES if case.strength == "unknown"} == set()


def test_every_reason_is_named_and_used() -> None:
    assert set(excused().values()) == table()[REASONS].keys() | reasons().keys()


def test_what_nobody_can_watch_has_the_same_reason_here() -> None:
    due = {statement.id: statement.nobody for statement in statements() if statement.nobody}
    assert {id_: why for id_, why in excused().items() if why in reasons()} == due
