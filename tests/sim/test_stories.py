# SPDX-License-Identifier: MIT
"""What a scenario says, and what comes of it: waits, steps out of turn, the ending it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.events import D0Exited
from protocol.ids import SlotNumber
from protocol.link import ConfigRead
from sim.actors import NeverHappened, StepRefused
from sim.choices import RandomChooser
from sim.engine import Engine
from sim.scenario import Scenario, ScenarioError
from sim.scenario_reader import parse_scenario
from sim.watch import Watch
from sim.world import World, emitter

DEVICE = """
name = "story"
story = "As the test says."
[[device]]
name = "nvme0"
profile = "nvme-ssd"
"""


def story(*actors: str, ending: str = "clean", known: str = "") -> Scenario:
    """A scenario of one device and these actors' steps."""
    text = DEVICE + f'[expect]\nverdict = "{ending}"\nknown = [{known}]\n'
    for number, steps in enumerate(actors):
        text += f'[[actor]]\nname = "actor{number}"\nsteps = [{steps}]\n'
    return parse_scenario(text, source="story.toml", folder=Path())


OFFER = '{ do = "offer", device = "nvme0" }, { wait = "driver-bound", device = "nvme0" }'
RESCIND = OFFER + ', { do = "rescind", device = "nvme0" }'


def test_a_wait_that_never_comes_true_is_the_scenarios_mistake() -> None:
    with pytest.raises(NeverHappened, match="d0-exited"):
        World(story(OFFER, '{ wait = "d0-exited", device = "nvme0" }')).run()


def test_a_violation_is_told_even_where_somebody_waits_in_vain() -> None:
    verdict = World(story(RESCIND, '{ wait = "d0-exited", device = "nvme0" }')).run()
    assert verdict.violation is not None
    assert verdict.violation.kind == "leak"


@pytest.mark.parametrize(
    "steps",
    [
        OFFER + ', { do = "offer", device = "nvme0" }',
        OFFER + ', { do = "eject", device = "nvme0" }, { do = "eject", device = "nvme0" }',
        RESCIND + ', { after_ns = 100_000_000 }, { do = "eject", device = "nvme0" }',
        RESCIND + ', { after_ns = 100_000_000 }, { do = "rescind", device = "nvme0" }',
    ],
)
def test_a_host_step_out_of_turn_names_its_place_in_natural_order(steps: str) -> None:
    with pytest.raises(StepRefused, match=r"actor\[0\].*the host could not do it"):
        World(story(steps, known='"O9"')).run()


def test_a_host_step_that_comes_too_late_in_another_order_does_nothing() -> None:
    scenario = story(
        RESCIND, '{ wait = "driver-bound" }, { do = "eject", device = "nvme0" }', known='"O9"'
    )
    for seed in range(20):
        assert World(scenario, chooser=RandomChooser(seed)).run().violation is None


def test_a_compose_whose_answer_never_comes_is_a_stuck_cpu() -> None:
    steps = (
        '{ do = "offer", device = "nvme0" }, { wait = "pci-dev-added", device = "nvme0" },'
        ' { do = "stall", device = "nvme0", ns = 100_000_000_000 }'
    )
    violation = World(story(steps)).run().violation
    assert violation is not None
    assert violation.kind == "hang"
    assert "stuck for 20 s" in violation.message
    assert violation.context.startswith("work/")


def test_what_a_poll_repeats_is_no_progress() -> None:
    engine = Engine()
    emit = emitter(engine, [], Watch((), engine))
    engine.steps = 7
    emit(ConfigRead("nvme0", SlotNumber(0), 0, 4, 0))
    assert engine.progress_step == 0
    emit(D0Exited("nvme0"))
    assert engine.progress_step == 7


def test_an_expected_error_that_the_guest_reports_is_a_clean_end() -> None:
    refused = (
        '{ do = "offer", device = "nvme0" }, { wait = "channel-opened", device = "nvme0" },'
        ' { do = "fail-next", device = "nvme0", message = "PCI_QUERY_PROTOCOL_VERSION",'
        " status = 0xC0000001 }"
    )
    assert World(story(refused, ending="EPROTO")).run().verdict == "clean"


@pytest.mark.parametrize("ending", ["ENODEV", "leak"])
def test_an_expected_ending_that_does_not_come_is_a_violation(ending: str) -> None:
    violation = World(story(OFFER, ending=ending)).run().violation
    assert violation is not None
    assert violation.kind == "wrong-value"
    assert ending in violation.message


def test_a_channel_that_is_moved_interrupts_another_vcpu() -> None:
    world = World(story(OFFER + ', { do = "move-channel", device = "nvme0", cpu = 1 }'))
    assert world.run().verdict == "clean"
    (channel,) = world.guest.vmbus.channels.values()
    assert channel.target_cpu == 1


def test_an_actors_steps_run_on_the_vcpu_it_names() -> None:
    text = DEVICE + f'[[actor]]\nname = "host"\nsteps = [{OFFER}]\n'
    text += '[[actor]]\nname = "user"\nvcpu = 0\nsteps = [{ wait = "driver-bound" }, '
    text += '{ do = "unload" }]\n[expect]\nknown = ["O23"]\n'
    world = World(parse_scenario(text, source="story.toml", folder=Path()))
    assert world.run().verdict == "known"
    assert "thread/0:unload:user" in {stamped.context for stamped in world.trace()}


def test_a_vcpu_that_the_guest_does_not_have_is_refused() -> None:
    text = DEVICE + f'[[actor]]\nname = "host"\nvcpu = 2\nsteps = [{OFFER}]\n'
    with pytest.raises(ScenarioError, match=r"actor\[0\].vcpu: vCPUs are numbered 0 to 1"):
        parse_scenario(text, source="story.toml", folder=Path())
