# SPDX-License-Identifier: MIT
"""Whole worlds: every built-in scenario at every version and on both hosts, and what may differ."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import msgspec
import pytest

from guest.defects.catalogue import CATALOGUE
from guest.kernel.context import Context
from protocol.versions import LINUX_VPCI_VERSIONS, VPCI_DIALECTS
from sim.actors import NeverHappened
from sim.choices import Option, RandomChooser, RecordingChooser
from sim.result import RunResult
from sim.scenario import Scenario, why_unplayable
from sim.scenario_grammar import PROFILES, STEPS
from sim.scenario_reader import built_in_names, load_scenario, parse_scenario
from sim.steps import GUEST_STEPS, HOST_STEPS, MACHINE_STEPS
from sim.world import World, play

VERSIONS = [VPCI_DIALECTS[version].name for version in LINUX_VPCI_VERSIONS]
HERE = Path()


def as_asked(scenario: Scenario, *, protocol: str, profile: str = "hyperv") -> Scenario:
    """The scenario with one version offered, on one kind of host."""
    return msgspec.structs.replace(
        scenario,
        guest=msgspec.structs.replace(scenario.guest, protocol=(protocol,)),
        host=msgspec.structs.replace(scenario.host, profile=profile),
    )


def playable() -> Iterator[tuple[str, str, str]]:
    """Each built-in scenario with the versions and hosts it can be played with."""
    for scenario in map(load_scenario, built_in_names()):
        for protocol, profile in product(VERSIONS, PROFILES):
            if not why_unplayable(scenario, protocol=protocol, profile=profile, driver="model"):
                yield scenario.name, protocol, profile


def test_every_built_in_scenario_can_be_played_somehow() -> None:
    assert {name for name, _, _ in playable()} == set(built_in_names())


@pytest.mark.parametrize(("name", "protocol", "profile"), list(playable()))
def test_every_built_in_scenario_ends_as_its_story_says(
    name: str, protocol: str, profile: str
) -> None:
    scenario = load_scenario(name)
    result = play(as_asked(scenario, protocol=protocol, profile=profile))
    assert result.violation is None
    assert set(result.known) <= set(scenario.expect.known)
    assert result.protocol in (protocol, None)


def test_a_rescind_without_an_eject_leaks_the_child_that_linux_leaks() -> None:
    result = play(load_scenario("rescind-without-eject"))
    assert result.verdict == "known"
    assert [(leak.what, leak.count, leak.known) for leak in result.final.leaks] == [
        ("HvPciDev", 1, "O9")
    ]


def test_the_same_leak_is_a_violation_where_the_scenario_does_not_name_it() -> None:
    scenario = load_scenario("rescind-without-eject")
    silent = msgspec.structs.replace(
        scenario, expect=msgspec.structs.replace(scenario.expect, known=())
    )
    result = play(silent)
    assert result.verdict == "violation"
    assert result.violation is not None
    assert result.violation.kind == "leak"


def test_what_an_open_item_explains_is_told_and_is_no_violation() -> None:
    result = play(load_scenario("hibernate-rescind"))
    assert (result.verdict, result.violation, result.known) == ("known", None, ("O33",))
    assert result.explained is not None
    assert result.explained.kind == "use-after-free"
    assert result.explained.context == "thread/0:hibernate"


def test_an_overdue_eject_is_ended_by_the_host_at_sixty_seconds() -> None:
    result = play(load_scenario("eject-overdue"))
    (overdue,) = [s for s in result.trace if type(s.event).__name__ == "EjectOverdue"]
    (sent,) = [s for s in result.trace if type(s.event).__name__ == "EjectSent"]
    assert overdue.at_ns - sent.at_ns == 60 * 10**9


def test_a_wait_that_never_comes_true_names_its_place() -> None:
    text = """
name = "waits-for-ever"
story = "Nobody ejects."
[[device]]
name = "nvme0"
profile = "nvme-ssd"
[[actor]]
name = "administrator"
steps = [{ do = "offer", device = "nvme0" }, { wait = "d0-exited", device = "nvme0" }]
"""
    scenario = parse_scenario(text, source="waits-for-ever.toml", folder=HERE)
    with pytest.raises(NeverHappened, match=r"steps\[1\].*d0-exited"):
        play(scenario)


def test_every_step_of_the_grammar_can_be_played() -> None:
    assert set(STEPS) == {*HOST_STEPS, *GUEST_STEPS, *MACHINE_STEPS, "pause"}


def test_a_defect_puts_its_bug_back_and_brings_what_it_needs() -> None:
    scenario = load_scenario("eject-idle")
    assert World(scenario).run().verdict == "clean"
    leak = CATALOGUE["eject-ref-leak"]
    picky = msgspec.structs.replace(leak, latency_ns={"reply": (30_000, 30_000)})
    world = World(scenario, defects=[picky])
    violation = world.run().violation
    assert violation is not None
    assert violation.kind == leak.expect
    assert world.scenario.host.latency_ns["reply"] == (30_000, 30_000)


class First:
    """Natural order, asked for."""

    def choose(self, options: Sequence[Option]) -> int:
        assert len(options) > 1
        return 0


@pytest.mark.parametrize(
    "name", ["eject-during-probe", "multi-function", "config-blocks", "reoffer"]
)
def test_the_first_option_everywhere_is_natural_order_event_by_event(name: str) -> None:
    scenario = load_scenario(name)
    first = RecordingChooser(First())
    asked = World(scenario, chooser=first)
    assert asked.run().verdict == "clean"
    assert len(first.decisions) > 100
    assert asked.trace() == play(scenario).trace


class Noting(RandomChooser):
    """Random, and remembers every context that could ever be chosen."""

    __slots__ = ("seen",)

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.seen: dict[Context, None] = {}

    def choose(self, options: Sequence[Option]) -> int:
        self.seen.update({option: None for option in options if isinstance(option, Context)})
        return super().choose(options)


def test_every_context_of_a_chosen_order_has_a_name_of_its_own_again_and_again() -> None:
    def contexts() -> list[Context]:
        chooser = Noting(3)
        World(load_scenario("reoffer"), chooser=chooser).run()
        return list(chooser.seen)

    seen = contexts()
    names = [context.name for context in seen]
    assert len(set(names)) == len(names) > len({context.title for context in seen})
    assert [context.name for context in contexts()] == names


def test_fine_points_add_choices() -> None:
    def choices(*, fine: bool) -> int:
        recorder = RecordingChooser(RandomChooser(3))
        assert World(load_scenario("arrival"), chooser=recorder, fine=fine).run().verdict == "clean"
        return len(recorder.decisions)

    assert choices(fine=True) > choices(fine=False) > 0


def _trace_of(result: RunResult) -> list[str]:
    return [f"{s.seq} {s.at_ns} {s.context} {s.event!r}" for s in result.trace]


def test_the_same_scenario_is_the_same_trace_twice() -> None:
    scenario = load_scenario("eject-two-devices")
    assert _trace_of(play(scenario)) == _trace_of(play(scenario))


@pytest.mark.parametrize("hash_seed", ["0", "12345"])
def test_a_trace_does_not_depend_on_the_hash_seed(hash_seed: str) -> None:
    script = (
        "from sim.scenario_reader import load_scenario\n"
        "from sim.world import play\n"
        "for s in play(load_scenario('multi-function')).trace:\n"
        "    print(s.seq, s.at_ns, s.context, s.event)\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    process = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True
    )
    expected = "".join(
        f"{s.seq} {s.at_ns} {s.context} {s.event}\n"
        for s in play(load_scenario("multi-function")).trace
    )
    assert process.stdout == expected


def test_errors_tell_of_function_drivers_and_of_an_eject_that_could_not_be_answered() -> None:
    overdue = play(load_scenario("eject-overdue"))
    assert ("vmbus_sendpacket", -19) in [(e.function, e.errno) for e in overdue.errors]
    # One managed vector each on two CPUs: the 1.1 mask of 64 VPs cannot name these.
    scenario = load_scenario("arrival")
    far = msgspec.structs.replace(scenario.guest, vp_numbers=(100, 70), protocol=("1.1",))
    failed = play(msgspec.structs.replace(scenario, guest=far))
    assert ("nvme_probe", -5) in [(e.function, e.errno) for e in failed.errors]
