# SPDX-License-Identifier: MIT
"""Two wires beside each other: what has a name is skipped and counted, the rest is a difference."""

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from host.events import ChannelOffered
from protocol.hypercall import HVCALL_MMIO_WRITE, HvMmioWriteInput
from protocol.ids import Gpa, RelId, SlotNumber, VpIndex
from protocol.link import ConfigRead, HypercallMade, UnclaimedAccess
from sim.cli import FOUND, OK, main
from sim.trace import Stamped, write_trace
from sim.wire_diff import ENDS, compare, wire_lines
from sim.wire_rules import RULES, SIDE_BY_SIDE, mirrored

SLOT = SlotNumber(0)


def trace(*events: msgspec.Struct) -> list[Stamped]:
    offers = [ChannelOffered(bus, RelId(relid)) for relid, bus in enumerate(("a", "b"), 1)]
    return [Stamped(seq, 0, "host", event) for seq, event in enumerate((*offers, *events))]


def read(offset: int, value: int = 0, bus: str = "a") -> ConfigRead:
    return ConfigRead(bus, SLOT, offset, 2, value)


def call() -> HypercallMade:
    return HypercallMade(VpIndex(0), HVCALL_MMIO_WRITE, 0, HvMmioWriteInput(size=4).build())


GOING_ON = (UnclaimedAccess(Gpa(0x1000), 4), call())


def test_equal_wires_need_no_name() -> None:
    compared = compare(trace(read(0), call()), trace(read(0), call()), RULES)
    assert not compared.named
    assert compared.difference is None


def test_a_difference_has_a_lane_and_both_sides() -> None:
    ours, theirs = trace(read(0), read(4)), trace(read(0))
    compared = compare(ours, theirs, RULES)
    assert compared.difference is not None
    lane, left, right = compared.difference
    assert lane == "a"
    assert (left.seq if left else None, right) == (3, None)
    lines = list(wire_lines(compared.difference, ours, theirs))
    assert lines[0] == "first difference on the wire of a"
    assert f"right: {ENDS}" in lines


def test_going_on_with_a_device_that_is_gone_has_a_name_where_the_model_has_ended() -> None:
    ours, driver = trace(read(0)), trace(read(0), *GOING_ON)
    assert compare(ours, driver, RULES).named == {"undefined-value": 1}
    for theirs in (trace(read(0), call()), trace(read(0), GOING_ON[0])):
        assert compare(ours, theirs, RULES).difference is not None
    assert compare(trace(read(0), read(4)), driver, RULES).difference is not None


def test_buses_side_by_side_may_take_turns_otherwise_and_one_bus_may_not() -> None:
    first, second = read(0, bus="a"), read(0, bus="b")
    taken_turns = compare(trace(first, second), trace(second, first), ())
    assert taken_turns.named == {SIDE_BY_SIDE: 1}
    assert taken_turns.difference is None
    assert compare(trace(first, read(4)), trace(read(4), first), ()).difference is not None


def test_rules_know_whose_side_is_whose() -> None:
    model, driver = trace(read(0)), trace(read(0), *GOING_ON)
    assert compare(driver, model, RULES).difference is not None
    assert compare(driver, model, mirrored(RULES)).difference is None


def test_every_rule_says_what_why_and_where() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    assert SIDE_BY_SIDE not in names
    for rule in RULES:
        assert rule.what
        assert rule.why
        assert "()" in rule.source


def written(path: Path, driver: str, events: Sequence[Stamped]) -> str:
    write_trace(path, {"driver": driver}, events)
    return str(path)


def test_traces_of_different_drivers_are_compared_by_their_wires(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = written(tmp_path / "model", "model", trace(read(0)))
    driver = written(tmp_path / "driver", "kernel", trace(read(0), *GOING_ON))
    other = written(tmp_path / "other", "kernel", trace(read(4)))
    assert main(["diff", model, driver]) == OK
    assert main(["diff", driver, model]) == OK
    assert capsys.readouterr().out == "the same wire but for undefined-value (1)\n" * 2
    assert main(["diff", driver, other]) == FOUND
    assert "first difference at event" in capsys.readouterr().out
    assert main(["diff", "--wire", driver, other]) == FOUND
    assert "first difference on the wire of a" in capsys.readouterr().out
    assert main(["diff", model, other, "--json"]) == FOUND
    found = json.loads(capsys.readouterr().out)
    assert found["left"]["seq"] == found["right"]["seq"] == found["at"] == 2
    assert main(["diff", model, driver, "--json"]) == OK
    assert json.loads(capsys.readouterr().out)["named"] == {"undefined-value": 1}
