# SPDX-License-Identifier: MIT
"""Knobs are named, documented, checked."""

import pytest

from host.knobs import KnobError, Knobs, knob_rows, value_words, with_knobs
from host.profiles import PROFILES
from host.vsp.rules import rules_for


def test_every_knob_says_what_it_may_be_and_what_it_does() -> None:
    rows = list(knob_rows())
    assert [row.name for row in rows] == list(Knobs.__struct_fields__)
    assert all(len(row.meaning) > 20 for row in rows)
    kinds = {row.name: row.kind for row in rows}
    assert kinds["versions"] == "a list, each one of 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, at least 1"
    assert kinds["reoffer"] == "one of after-release, at-once"
    assert kinds["max_vectors"] == "a whole number from 1 to 32"
    assert kinds["repeat_eject"] == "true or false"
    assert value_words("second_d0_status", 0xC0000184) == "0xc0000184"
    assert value_words("versions", ("1.1", "1.2")) == "[1.1, 1.2]"


def test_the_defaults_of_every_profile_are_values_it_would_accept() -> None:
    for profile in PROFILES.values():
        values = {name: getattr(profile.knobs, name) for name in Knobs.__struct_fields__}
        assert with_knobs(Knobs(), values) == profile.knobs


def test_an_unknown_knob_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown knob 'ejekt'; known: .*eject_timeout_ns"):
        with_knobs(Knobs(), {"ejekt": True})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("eject_timeout_ns", "soon"),
        ("eject_timeout_ns", -5),
        ("repeat_eject", 1),
        ("placement", "somewhere"),
        ("version_refusal_status", 2**32),
        ("version_refusal_status", -1),
        ("version_refusal_status", 0),  # would accept it
        ("second_d0_status", -7),
        ("out_of_order_status", 99_999_999_999),
        ("max_vectors", -1),
        ("max_vectors", 2.0),
        ("max_interrupts", -1),
        ("max_block_bytes", -1),
        ("reply_room_bytes", -1),
        ("reply_room_bytes", 2**70),
        ("versions", []),
        ("versions", ["1.4", "14"]),
        ("refused_versions", ["1x4"]),
        ("reply_version", "9"),
        ("highest_vmbus_version", "9.9"),
        ("highest_vmbus_version", "5.3\n"),
    ],
)
def test_a_value_that_a_knob_cannot_take_is_refused_with_what_it_can(
    name: str, value: object
) -> None:
    with pytest.raises(KnobError) as refused:
        with_knobs(Knobs(), {name: value})
    assert refused.value.name == name
    kind = next(row.kind for row in knob_rows() if row.name == name)
    assert refused.value.remedy == f"must be {kind}, not {value!r}"


def test_lists_from_a_scenario_become_tuples() -> None:
    assert with_knobs(Knobs(), {"versions": ["1.1", "1.3"]}).versions == ("1.1", "1.3")


def test_refused_versions_are_taken_out_and_the_reply_names_the_highest_left() -> None:
    rules = rules_for("nvme0", with_knobs(Knobs(), {"refused_versions": ["1.4"]}))
    assert [dialect.name for dialect in rules.versions.values()] == ["1.1", "1.2", "1.3"]
    assert rules.reply_version == 0x10003


def test_a_version_nobody_has_is_refused() -> None:
    with pytest.raises(ValueError, match=r"2\.0"):
        rules_for("nvme0", with_knobs(Knobs(), {"versions": ["2.0"]}))
