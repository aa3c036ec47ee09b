# SPDX-License-Identifier: MIT
"""Knobs are named, documented, checked."""

import pytest

from host.knobs import Knobs, knob_descriptions, with_knobs
from host.vsp.rules import rules_for


def test_every_knob_says_what_it_does() -> None:
    descriptions = knob_descriptions()
    assert list(descriptions) == list(Knobs.__struct_fields__)
    assert all(len(text) > 20 for text in descriptions.values())


def test_an_unknown_knob_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown knob 'ejekt'; known: .*eject_timeout_ns"):
        with_knobs(Knobs(), {"ejekt": True})


@pytest.mark.parametrize(
    ("name", "value"),
    [("eject_timeout_ns", "soon"), ("repeat_eject", 1), ("placement", "somewhere")],
)
def test_a_knob_of_the_wrong_type_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        with_knobs(Knobs(), {name: value})


def test_lists_from_a_scenario_become_tuples() -> None:
    assert with_knobs(Knobs(), {"versions": ["1.1", "1.3"]}).versions == ("1.1", "1.3")


def test_refused_versions_are_taken_out_and_the_reply_names_the_highest_left() -> None:
    rules = rules_for("nvme0", with_knobs(Knobs(), {"refused_versions": ["1.4"]}))
    assert [dialect.name for dialect in rules.versions.values()] == ["1.1", "1.2", "1.3"]
    assert rules.reply_version == 0x10003


def test_a_version_nobody_has_is_refused() -> None:
    with pytest.raises(ValueError, match=r"2\.0"):
        rules_for("nvme0", with_knobs(Knobs(), {"versions": ["2.0"]}))
