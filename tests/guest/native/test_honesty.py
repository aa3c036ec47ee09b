# SPDX-License-Identifier: MIT
"""The model's wire is the real driver's, byte by byte, but for what has a name.

Some stories at every version; ``test_every_scenario`` plays each at its own, and
``benchmarks.honesty`` compares them all.
"""

from collections.abc import Callable

import msgspec
import pytest

from guest.native.library import Library
from protocol.link import PacketPublished
from sim.guests import NativeGuests
from sim.honesty import DIFFERENT, Row, measure, playable, trace_of
from sim.scenario_reader import load_scenario
from sim.trace import Stamped
from sim.wire_diff import compare
from sim.wire_rules import RULES

STORIES = (
    *("arrival", "eject-idle", "eject-in-use", "rescind-without-eject", "rescind-during-probe"),
    *("relations-grow", "relations-shrink", "multi-function", "config-blocks", "multi-msi"),
    *("unload", "reoffer", "mmio-fragmented", "rebind-without-memory"),
)
VERSIONS = ("1.1", "1.2", "1.3", "1.4")

Compare = Callable[[str, str], Row]


@pytest.fixture
def compared(library: Library) -> Compare:
    """Plays a scenario with both guests at a version."""

    def measured(name: str, version: str) -> Row:
        ((_, scenario),) = playable([name], [version])
        return measure(scenario, version, NativeGuests(lambda: library))

    return measured


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", STORIES)
def test_what_crosses_is_what_the_real_driver_sends(
    name: str, version: str, compared: Compare
) -> None:
    row = compared(name, version)
    assert row.result != DIFFERENT, "\n".join(row.told)


def test_a_byte_that_nobody_has_named_is_a_difference(library: Library) -> None:
    scenario = load_scenario("eject-idle")
    ours = trace_of(scenario, None)
    theirs = trace_of(scenario, NativeGuests(lambda: library))
    last = max(at for at, one in enumerate(theirs) if isinstance(one.event, PacketPublished))
    damaged = (*theirs[:last], _with_last_bit_flipped(theirs[last]), *theirs[last + 1 :])
    found = compare(ours, damaged, RULES).difference
    assert found is not None
    assert found.right is not None
    assert found.right.seq == last


def _with_last_bit_flipped(stamped: Stamped) -> Stamped:
    packet = stamped.event
    assert isinstance(packet, PacketPublished)
    payload = packet.payload[:-1] + bytes([packet.payload[-1] ^ 1])
    return msgspec.structs.replace(stamped, event=msgspec.structs.replace(packet, payload=payload))
