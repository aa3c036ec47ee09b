# SPDX-License-Identifier: MIT
"""The options that choose a guest driver, and what of them is refused."""

from pathlib import Path

import pytest

from sim.commands.calling import InputError
from sim.commands.driver_choice import DriverChoice

TREE = Path("linux")


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        (DriverChoice("driver"), "no driver 'driver'; there are model, kernel"),
        (DriverChoice(tree=TREE), "--tree is for the real driver; add --driver kernel"),
        (DriverChoice(file=TREE), "--driver-file is for the real driver; add --driver kernel"),
        (DriverChoice(coverage=TREE), "--coverage is for the real driver; add --driver kernel"),
        (DriverChoice("kernel"), "--driver kernel needs --tree: a Linux tree, "),
    ],
    ids=[
        "unknown",
        "tree for the model",
        "file for the model",
        "coverage of the model",
        "no tree",
    ],
)
def test_options_that_do_not_go_together_are_refused(choice: DriverChoice, told: str) -> None:
    with pytest.raises(InputError) as error:
        choice.checked()
    assert str(error.value).startswith(told)


def test_a_setup_has_absolute_paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    choice = DriverChoice("kernel", TREE, Path("pci-hyperv.c")).checked()
    assert choice.tree_path == str(tmp_path / "linux")
    assert choice.file_path == str(tmp_path / "pci-hyperv.c")


def test_the_model_needs_nothing_built() -> None:
    assert DriverChoice().checked().guests() is None
