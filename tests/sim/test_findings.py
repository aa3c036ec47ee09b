# SPDX-License-Identifier: MIT
"""docs/findings.md: a row for every open item, and rows that are true of the real driver."""

import re
from typing import Final, NamedTuple

import msgspec
import pytest

from guest.defects.open_items import OPEN_ITEMS
from sim.player import outcome
from sim.setup import Lab, read_setup
from tests.house.sources import ROOT
from tests.kernel_trees import tree_of

WORDS: Final = {"natural", "schedule", "not seen", "-"}
# A handful that is quick to play.
SHOWN: Final = ("O9", "O4", "O3", "O13", "O31")


class Row(NamedTuple):
    """What the page says of an item."""

    item: str
    newer: str
    schedules: str
    older: str
    scenario: str


def rows() -> dict[str, Row]:
    text = (ROOT / "docs/findings.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| (O\d+) \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|", text, re.MULTILINE)
    return {line[0]: Row(*line) for line in lines}


def test_every_open_item_has_its_row() -> None:
    assert list(rows()) == list(OPEN_ITEMS)


@pytest.mark.parametrize("item", OPEN_ITEMS)
def test_a_row_names_the_items_scenario_and_a_verdict(item: str) -> None:
    row = rows()[item]
    assert {row.newer, row.older} <= WORDS
    assert row.scenario.strip("`") == (OPEN_ITEMS[item].scenario or "-")
    assert (row.schedules == "-") == (row.newer == "-")


@pytest.mark.parametrize("item", SHOWN)
def test_what_natural_order_shows_is_seen_on_the_real_driver(item: str) -> None:
    row = rows()[item]
    assert row.newer == "natural"
    setup = msgspec.structs.replace(
        read_setup(row.scenario.strip("`")), driver="kernel", tree=str(tree_of("6.12"))
    )
    seen, unplayed = outcome(Lab(setup).world())
    assert seen.violation is None
    assert unplayed is None
    assert item in seen.known
