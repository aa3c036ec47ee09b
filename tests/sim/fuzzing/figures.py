# SPDX-License-Identifier: MIT
"""The campaign's figures, as the documentation tells them, and how near to them a part must be."""

from __future__ import annotations

from collections.abc import Mapping

from tests.house.sources import ROOT

PARTS = 10
OFTEN = 100  # in all parts; what is rarer may be missing in one


def figures(target: str) -> dict[str, int]:
    """The rows of the table, for one of its columns."""
    text = (ROOT / "docs" / "fuzzing.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    column = rows[0].index(target)
    return {row[0]: int(row[column].replace(",", "")) for row in rows[2:] if row[column]}


def assert_as_documented(part: Mapping[str, int], documented: Mapping[str, int]) -> None:
    """Each figure of a part is about its share of what all have: chance is in it, not a mistake."""
    for what, whole in documented.items():
        share = whole / PARTS
        if what in part and whole >= OFTEN:
            assert share / 3 < part[what] < share * 3, f"{what}: {part[what]} of {whole}"
