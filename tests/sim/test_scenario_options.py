# SPDX-License-Identifier: MIT
"""What a driver that cannot be told its versions makes of a scenario."""

from pathlib import Path

from sim.scenario import Scenario
from sim.scenario_options import with_options, with_whole_offer
from sim.scenario_reader import find_scenario, parse_scenario
from sim.world import play


def arrival(protocol: str) -> Scenario:
    text = find_scenario("arrival").read_text(encoding="utf-8")
    scenario = parse_scenario(text, source="arrival", folder=Path())
    return with_options(scenario, protocol=protocol, profile=None, device=None)


def test_a_whole_offer_ends_in_the_version_that_the_scenario_asks_for() -> None:
    result = play(with_whole_offer(arrival("1.2")))
    asked = [m for m in result.messages if m.name == "PCI_QUERY_PROTOCOL_VERSION"]
    assert (result.protocol, result.verdict) == ("1.2", "clean")
    assert len(asked) == 3, "1.4 and 1.3 are refused"


def test_a_whole_offer_is_made_once() -> None:
    once = with_whole_offer(arrival("1.3"))
    assert with_whole_offer(once) == once
