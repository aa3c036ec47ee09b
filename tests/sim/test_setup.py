# SPDX-License-Identifier: MIT
"""A setup is plain data: it travels, it holds the device files it names, it makes equal worlds."""

from __future__ import annotations

import pickle
from pathlib import Path

import msgspec
import pytest

from guest.defects.record import Defect
from host.devices import PROFILES
from host.devices.problems import DeviceFileError
from host.devices.profile_file import save_profile
from sim.scenario_options import with_faults, with_needs
from sim.scenario_reader import load_scenario
from sim.setup import Lab, Setup, read_setup, with_captures

ARRIVAL = read_setup("arrival")
CAPTURED = """
name = "captured"
story = "A device of somebody's own arrives."
[[device]]
name = "mine"
capture = "mine.json"
[[actor]]
name = "administrator"
steps = [{ do = "offer", device = "mine" }]
"""


PLANTED = Defect(
    id="planted",
    subject="",
    commit="",
    commit_check="",
    cls="A",
    fixed="",
    scenario="arrival",
    expect=None,
    why="",
)


def test_a_setup_survives_pickle_and_json() -> None:
    setup = msgspec.structs.replace(ARRIVAL, protocol="1.2", captures=(("a", "b"),))
    assert pickle.loads(pickle.dumps(setup)) == setup
    assert msgspec.json.decode(msgspec.json.encode(setup), type=Setup) == setup


def test_options_reach_the_scenario() -> None:
    scenario = msgspec.structs.replace(ARRIVAL, protocol="1.2", profile="openvmm").scenario()
    assert scenario.guest.protocol == ("1.2",)
    assert scenario.host.profile == "openvmm"


def test_the_device_files_of_a_scenario_are_kept_with_the_setup(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(save_profile(PROFILES["nvme-ssd"]))
    setup = with_captures(Setup(text=CAPTURED, source="captured.toml"), tmp_path)
    file.unlink()
    assert Lab(setup).world().run().verdict == "clean"


def test_a_device_file_given_instead_is_found_from_where_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("disk.json").write_text(save_profile(PROFILES["nvme-ssd"]))
    setup = msgspec.structs.replace(ARRIVAL, device="disk.json")
    kept = with_captures(setup, tmp_path / "elsewhere")
    assert [name for name, _ in kept.captures] == ["disk.json"]


def test_a_device_file_that_is_missing_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DeviceFileError, match=r"mine\.json"):
        with_captures(Setup(text=CAPTURED, source="captured.toml"), tmp_path)


def test_two_worlds_of_one_lab_are_equal_and_apart() -> None:
    lab = Lab(ARRIVAL)
    first, second = lab.world(), lab.world()
    first.run()
    assert second.trace() == ()
    second.run()
    assert first.trace() == second.trace()


def test_a_fault_that_is_asked_for_may_happen_at_least_once() -> None:
    scenario = load_scenario("arrival")
    once = with_faults(scenario, ["allocation-failure"])
    assert once.faults.allocation_failure == 1
    thrice = msgspec.structs.replace(
        scenario, faults=msgspec.structs.replace(scenario.faults, allocation_failure=3)
    )
    assert with_faults(thrice, ["allocation-failure"]) == thrice


def test_a_defect_brings_the_host_the_faults_and_the_version_it_needs() -> None:
    needs = msgspec.structs.replace(
        PLANTED,
        knobs={"max_interrupts": 3},
        latency_ns={"work": (1, 2)},
        faults={"allocation-failure": 2},
        protocol=("1.2", "1.1"),
    )
    scenario = with_needs(load_scenario("arrival"), [needs])
    assert scenario.host.knobs == {"max_interrupts": 3}
    assert scenario.host.latency_ns == {"work": (1, 2)}
    assert scenario.faults.allocation_failure == 2
    assert scenario.guest.protocol == ("1.2", "1.1")
    assert with_needs(scenario, [needs]) == scenario


def test_a_defect_leaves_alone_what_it_does_not_need() -> None:
    scenario = load_scenario("arrival")
    assert with_needs(scenario, [PLANTED]) == scenario
