# SPDX-License-Identifier: MIT
"""``vpcisim races``: what the tables hold, for people, for pipes and for programs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from guest.defects.catalogue import CATALOGUE
from guest.defects.open_items import OPEN_ITEMS, OpenItem
from sim.cli import main
from tests.house.sources import ROOT

KEYS = (
    *("id", "subject", "commit", "commit_check", "class", "open", "scenario", "drivers", "expect"),
    "why",
)


def printed(capsysbinary: pytest.CaptureFixture[bytes]) -> list[dict[str, Any]]:
    assert main(["races", "--json"]) == 0
    rows: list[dict[str, Any]] = json.loads(capsysbinary.readouterr().out)
    return rows


def test_programs_get_every_bug_and_every_open_item(
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    rows = printed(capsysbinary)
    assert [row["id"] for row in rows] == [*CATALOGUE, *OPEN_ITEMS]
    assert {tuple(row) for row in rows} == {KEYS}
    assert [row["id"] for row in rows if row["open"]] == list(OPEN_ITEMS)


def test_what_can_be_shown_names_who_shows_it_and_the_rest_says_why(
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    for row in printed(capsysbinary):
        assert row["why"]
        shown = bool(row["expect"]) or (row["open"] and row["scenario"])
        assert bool(row["drivers"]) == bool(shown), row["id"]


def test_a_pipe_gets_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["races"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["id", "class", "commit", "scenario", "expect", "subject"]
    assert [line.split()[0] for line in lines] == [*CATALOGUE, *OPEN_ITEMS]


def row_of(item: OpenItem) -> str:
    scenario = f"`{item.scenario}`" if item.scenario else "-"
    cells = (item.id, item.title, item.where, item.needs, item.certainty, scenario)
    return f"| {' | '.join(cells)} |"


def test_the_documents_table_of_open_items_is_the_table() -> None:
    text = (ROOT / "docs/races.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| O")]
    assert rows == [row_of(item) for item in OPEN_ITEMS.values()]
