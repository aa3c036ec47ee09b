# SPDX-License-Identifier: MIT
"""The historical bugs as a list of facts: ids, classes, upstream subjects and commits."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).parents[2] / "data" / "races.json"


class Fact(NamedTuple):
    """``cls`` may name a second class (``A/B``); ``commit_check`` says how sure the commit is."""

    id: str
    cls: str
    subject: str
    commit: str
    commit_check: str
    fixed: str


FACTS: Mapping[str, Fact] = {
    fact["id"]: Fact(**fact) for fact in json.loads(FILE.read_text(encoding="utf-8"))
}
