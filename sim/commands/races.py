# SPDX-License-Identifier: MIT
"""``vpcisim races``: the historical bugs that the guest can be given back, and the open items."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final

import typer

from guest.defects.catalogue import CATALOGUE
from guest.defects.open_items import OPEN_ITEMS, OpenItem
from guest.defects.record import Defect
from sim.commands import calling
from sim.commands.calling import AsJson, print_json

COLUMNS: Final = ("id", "class", "commit", "scenario", "expect", "subject")
NOTHING: Final = "-"


def application() -> typer.Typer:
    return calling.application(list_races)


def list_races(as_json: AsJson = False) -> None:
    """List historical bugs by class, and what is open in the driver to this day.

    Example: vpcisim races --json
    """
    rows = [*map(of_defect, CATALOGUE.values()), *map(of_open_item, OPEN_ITEMS.values())]
    if as_json:
        print_json(rows)
    elif sys.stdout.isatty():
        _print_table(rows)
    else:
        _print_plain(rows)


def of_defect(defect: Defect) -> dict[str, Any]:
    """A historical bug as ``--json`` prints it."""
    return {
        "id": defect.id,
        "subject": defect.subject,
        "commit": defect.commit,
        "commit_check": defect.commit_check,
        "class": defect.cls,
        "open": False,
        "scenario": defect.scenario,
        "drivers": list(defect.drivers) if defect.expect else [],
        "expect": defect.expect,
        "why": f"{defect.why} {defect.why_model_only}".rstrip(),
    }


def of_open_item(item: OpenItem) -> dict[str, Any]:
    """An open item likewise: it has no commit, and is expected to be known and no violation."""
    return {
        "id": item.id,
        "subject": item.title,
        "commit": None,
        "commit_check": None,
        "class": "open",
        "open": True,
        "scenario": item.scenario,
        "drivers": ["model"] if item.scenario else [],
        "expect": None,
        "why": f"{item.why} Certainty: {item.certainty}.",
    }


def _cells(row: dict[str, Any]) -> list[str]:
    expect = "known" if row["open"] and row["scenario"] else row["expect"]
    shown = {**row, "expect": expect}
    return [str(shown[column] or NOTHING) for column in COLUMNS]


def _print_plain(rows: Sequence[dict[str, Any]]) -> None:
    cells = [list(COLUMNS), *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        print(
            "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        )


def _print_table(rows: Sequence[dict[str, Any]]) -> None:
    from rich.console import Console  # not for a pipe, where nobody sees it
    from rich.table import Table

    table = Table(*COLUMNS, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*_cells(row))
    Console().print(table)
