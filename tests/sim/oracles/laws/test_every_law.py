# SPDX-License-Identifier: MIT
"""Every file of laws holds one law that is registered, documented and tested both ways."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from sim.event_names import TAG_OF_EVENT
from sim.oracles.laws import LAWS
from sim.scenario_grammar import VIOLATION_KINDS
from tests.house.sources import ROOT

HERE = Path(__file__).parent
FILES = sorted((ROOT / "sim/oracles/laws").glob("[!_]*.py"))
FILE_OF_LAW = {law: Path(inspect.getfile(law)).stem for law in LAWS}


def test_every_file_holds_one_registered_law() -> None:
    assert sorted(FILE_OF_LAW.values()) == [path.stem for path in FILES]


def test_every_law_is_in_the_documents_table() -> None:
    text = (ROOT / "docs/laws.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+) \| `(.+)` \| `(.+)` \|$", text, re.MULTILINE)
    made = {stem: law() for law, stem in FILE_OF_LAW.items()}
    assert rows == [(law.name, law.kind, stem) for stem, law in sorted(made.items())]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: FILE_OF_LAW[law])
def test_every_law_has_a_test_in_which_it_fires_and_one_in_which_it_does_not(law: type) -> None:
    text = (HERE / f"test_{FILE_OF_LAW[law]}.py").read_text(encoding="utf-8")
    assert "broken(" in text
    assert "holds(" in text


@pytest.mark.parametrize("law", LAWS, ids=lambda law: FILE_OF_LAW[law])
def test_a_law_sees_what_traces_hold_and_ends_in_a_violation_kind(law: type) -> None:
    made = law()
    assert made.kind in VIOLATION_KINDS
    assert [seen for seen in made.sees if isinstance(seen, type) and seen not in TAG_OF_EVENT] == []
