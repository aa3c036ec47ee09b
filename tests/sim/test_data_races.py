# SPDX-License-Identifier: MIT
"""Data races of the real driver: none that is not known, and those of a lock that is taken out."""

import msgspec
import pytest

from guest.native.data_races import KNOWN, driver_code
from sim.choices import RandomChooser
from sim.commands.calling import InputError
from sim.commands.driver_choice import DriverChoice
from sim.native import built
from sim.setup import Lab, Setup, read_setup
from sim.violation import Violation
from tests.kernel_trees import tree_of

ORDERS = 12


@pytest.fixture(scope="module")
def looking() -> Setup:
    tree = str(tree_of("6.12"))
    setup = read_setup("eject-during-probe")
    return msgspec.structs.replace(setup, driver="kernel", tree=tree, data_races=True)


@pytest.fixture(scope="module")
def unlocked(looking: Setup, tmp_path_factory: pytest.TempPathFactory) -> Setup:
    """A driver that never takes state_lock."""
    lines = built(looking.tree, None).driver_file.read_text().splitlines()
    made = tmp_path_factory.mktemp("unlocked") / "pci-hyperv.c"
    made.write_text(
        "\n".join(line if "lock(&hbus->state_lock)" not in line else ";" for line in lines)
    )
    return msgspec.structs.replace(looking, driver_file=str(made))


def found(setup: Setup) -> Violation | None:
    """What the first random orders find."""
    lab = Lab(setup)
    for seed in range(ORDERS):
        violation = lab.world(RandomChooser(seed), stacks=True).run().violation
        if violation is not None:
            return violation
    return None


@pytest.mark.parametrize("version", ["6.12", "6.1"])
@pytest.mark.parametrize("scenario", ["eject-during-probe", "rescind-during-probe"])
def test_the_driver_has_no_data_race_but_the_known(
    looking: Setup, scenario: str, version: str
) -> None:
    text = read_setup(scenario).text
    tree = str(tree_of(version))
    assert found(msgspec.structs.replace(looking, text=text, source=scenario, tree=tree)) is None


def test_the_known_ones_are_only_found_if_they_are_looked_for(looking: Setup) -> None:
    assert found(msgspec.structs.replace(looking, data_races=False)) is None


def test_without_its_lock_the_state_of_a_bus_is_raced_for(unlocked: Setup) -> None:
    violation = found(unlocked)
    assert violation is not None
    assert violation.kind == "data-race"
    assert "pci_devices_present_work" in violation.message


def test_both_sides_of_a_race_are_told_with_their_lines(unlocked: Setup) -> None:
    violation = found(unlocked)
    assert violation is not None
    assert [whose.what for whose in violation.whose] == ["access", "earlier"]
    assert all("pci-hyperv.c:" in stack[0] for stack in violation.stacks)


def test_the_drivers_own_code_lies_together(looking: Setup) -> None:
    low, high = driver_code(built(looking.tree, None).shared_object)
    assert 10_000 < high - low < 200_000


def test_every_known_race_says_why_it_is_harmless() -> None:
    assert all(race.why for race in KNOWN)
    assert len({(race.reader, race.writer) for race in KNOWN}) == len(KNOWN)


def test_the_model_has_no_data_races_to_look_for() -> None:
    with pytest.raises(InputError, match="--data-races is for the real driver"):
        DriverChoice("model", data_races=True).checked()
