# SPDX-License-Identifier: MIT
"""Every statement about behaviour in the wire notes has a test that is marked with it."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.house.wire_notes import marks, marks_in, reasons, statements

ID = re.compile(r"[1-9]\.[0-9]+[a-z]")


def test_a_statement_has_one_id_and_one_sentence() -> None:
    told = list(statements())
    assert not [s.id for s in told if not ID.fullmatch(s.id)]
    assert not [s.id for s in told if not s.says.endswith(".") or ". " in s.says]
    repeated = Counter(s.says for s in told)
    assert not [says for says, times in repeated.items() if times > 1]


def test_every_reason_for_going_without_a_test_is_known_and_used() -> None:
    assert {s.nobody for s in statements() if s.nobody} == set(reasons())


def test_every_statement_has_a_test_unless_it_says_why_not() -> None:
    marked = {name for mark in marks() if mark.counts for name in mark.ids}
    bare = [f"{s.id}: {s.says}" for s in statements() if not s.nobody and s.id not in marked]
    assert not bare, "\n".join(bare)


def test_every_mark_names_statements_that_can_be_tested() -> None:
    testable = {s.id for s in statements() if not s.nobody}
    wrong = [f"{m.place}: {name}" for m in marks() for name in m.ids if name not in testable]
    assert not wrong


def test_every_mark_stands_on_a_test_that_always_runs() -> None:
    assert not [mark.place for mark in marks() if not mark.counts or not mark.ids]


NOTE = "pytest.mark.wire_note('3.1a')"
ON_A_TEST = {
    "a test": f"@{NOTE}\ndef test_it(): ...",
    "a case": f"@pytest.mark.parametrize('n', [pytest.param(1, marks={NOTE})])\n"
    "def test_it(n): ...",
    "a module": f"pytestmark = [{NOTE}]\ndef test_it(): ...",
}
ELSEWHERE = {
    "a helper": f"@{NOTE}\ndef helper(): ...",
    "a fixture": f"@pytest.fixture\n@{NOTE}\ndef test_it(): ...",
    "a nested function": f"def test_it():\n    @{NOTE}\n    def test_inner(): ...",
    "a coroutine": f"@{NOTE}\nasync def test_it(): ...",
    "a skipped test": f"@pytest.mark.skip\n@{NOTE}\ndef test_it(): ...",
    "a test that may skip itself": f"@{NOTE}\ndef test_it():\n    pytest.skip('no')",
    "a test that may fail": f"@{NOTE}\n@pytest.mark.xfail(reason='no')\ndef test_it(): ...",
    "a skipped module": f"pytestmark = [{NOTE}, pytest.mark.skip]\ndef test_it(): ...",
    "a module without tests": f"pytestmark = {NOTE}\ndef helper(): ...",
    "a test that is never defined": f"if False:\n    @{NOTE}\n    def test_it(): ...",
    "nothing": f"{NOTE}\ndef test_it(): ...",
}


@pytest.mark.parametrize("text", ON_A_TEST.values(), ids=ON_A_TEST)
def test_a_mark_counts_on(text: str) -> None:
    (mark,) = marks_in(ast.parse(text), Path("test_x.py"))
    assert mark.counts
    assert mark.ids == ("3.1a",)


@pytest.mark.parametrize("text", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_mark_is_seen_and_does_not_count_on(text: str) -> None:
    assert [mark.counts for mark in marks_in(ast.parse(text), Path("test_x.py"))] == [False]


def test_a_mark_in_a_file_that_pytest_does_not_collect_does_not_count() -> None:
    tree = ast.parse(ON_A_TEST["a test"])
    assert [mark.counts for mark in marks_in(tree, Path("story.py"))] == [False]
