# SPDX-License-Identifier: MIT
"""A schedule is played exactly; by its delays where the code has changed; or refused with why."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from sim.campaign import Found
from sim.choices import Choice, RandomChooser
from sim.explore.delays import Delay, FaultAt
from sim.keeping import as_found
from sim.player import Player
from sim.replay import BY_DELAYS, EXACT, CannotReplay, recorded, replayed
from sim.schedule import Schedule
from sim.setup import Lab
from tests.sim.orders import IDLE, LEAKING, Drawn

OLD = {"guest": "of another day"}  # hashes that are nobody's now


def schedule(**changes: object) -> Schedule:
    plan = Drawn(1)
    found = as_found(LEAKING, Found(1, plan, Player(LEAKING)(plan)), seed=7)
    return msgspec.structs.replace(found.schedule, **changes)


def spoilt(choices: Sequence[Choice], at: int) -> tuple[Choice, ...]:
    """Choices of which one names something that is not there."""
    wrong = msgspec.structs.replace(choices[at], at="lock nobody_has")
    return (*choices[:at], wrong, *choices[at + 1 :])


def test_a_schedule_is_played_exactly() -> None:
    ours = schedule()
    replay = replayed(ours)
    assert (replay.mode, replay.diverged_at, replay.changed) == (EXACT, None, ())
    assert replay.played.result.violation == ours.violation
    assert replay.played.choices == ours.choices
    assert replay.played.result.seed == 7


def test_an_exact_replay_says_that_the_code_has_changed_although_every_choice_fits() -> None:
    replay = replayed(schedule(against=OLD))
    assert replay.mode == EXACT
    assert "guest" in replay.changed


def test_a_driver_without_the_bug_passes() -> None:
    replay = replayed(schedule(setup=IDLE, against=OLD, in_words=True))
    assert replay.mode == BY_DELAYS  # it frees what the other one leaked
    assert replay.played.result.verdict == "clean"


def test_changed_code_is_played_by_the_named_delays() -> None:
    delay = Delay("hv_acpi_init", "start")
    ours = schedule()
    replay = replayed(
        schedule(against=OLD, choices=spoilt(ours.choices, 5), delays=(delay,), in_words=True)
    )
    assert (replay.mode, replay.diverged_at) == (BY_DELAYS, 5)
    assert replay.played.result.violation is not None


def test_a_run_that_ends_before_its_choices_is_another_run() -> None:
    choices = schedule().choices
    replay = replayed(
        schedule(against=OLD, choices=(*choices, choices[-1]), delays=(), in_words=True)
    )
    assert (replay.mode, replay.diverged_at) == (BY_DELAYS, len(choices))


@pytest.mark.parametrize(
    ("words", "gone"),
    [
        ({"delays": (Delay("nobody", "nowhere", 3),)}, "the delay of nobody at 'nowhere', time 3"),
        ({"faults": (FaultAt("lost-message", "PCI_EJECT"),)}, "the fault lost-message at 'PCI_EJE"),
    ],
)
def test_a_delay_that_no_longer_applies_is_named(words: dict[str, object], gone: str) -> None:
    ours = schedule(setup=IDLE)
    with pytest.raises(CannotReplay, match=f"no longer applies: {gone}"):
        replayed(
            msgspec.structs.replace(
                ours, against=OLD, choices=spoilt(ours.choices, 0), in_words=True, **words
            )
        )


def test_a_delay_that_no_longer_applies_is_named_even_if_something_fails() -> None:
    ours = schedule()
    delays = (Delay("nobody", "nowhere", 3),)
    with pytest.raises(CannotReplay, match=r"no longer applies: .* ends in leak: left behind"):
        replayed(
            schedule(against=OLD, choices=spoilt(ours.choices, 0), delays=delays, in_words=True)
        )


def test_a_delay_whose_end_does_not_come_is_told_and_no_mistake() -> None:
    ours = schedule()
    delays = (Delay("hv_acpi_init", "start", until="ended nobody"),)
    replay = replayed(
        schedule(against=OLD, choices=spoilt(ours.choices, 0), delays=delays, in_words=True)
    )
    assert replay.played.result.violation is not None
    assert replay.unmet == delays


def test_an_order_that_is_not_in_words_cannot_be_played_on_changed_code() -> None:
    ours = schedule()
    with pytest.raises(CannotReplay, match="could not be put into words; explore again"):
        replayed(schedule(against=OLD, choices=spoilt(ours.choices, 0)))


def test_a_schedule_that_diverges_on_unchanged_code_is_our_mistake() -> None:
    ours = schedule()
    with pytest.raises(CannotReplay, match="choice 3 although the code has not changed"):
        replayed(schedule(choices=spoilt(ours.choices, 3)))


def test_a_schedule_that_ends_otherwise_on_unchanged_code_was_edited() -> None:
    violation = msgspec.structs.replace(schedule().violation, message="left behind: nothing")
    with pytest.raises(CannotReplay, match=r"ended otherwise although .* the file was edited"):
        replayed(schedule(violation=violation))


def test_a_recorded_run_is_told_with_its_choices() -> None:
    played = recorded(Lab(IDLE), RandomChooser(5), seed=5)
    assert played.result.verdict == "clean"
    assert played.unplayed is None
    assert len(played.choices) > 1
