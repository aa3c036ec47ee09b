# SPDX-License-Identifier: MIT
"""``vpcisim replay FILE --gdb``: gdb, at the line of the driver where it goes wrong."""

import subprocess
import sys
from pathlib import Path

import pytest

from guest.native.errors import BuildError
from sim.commands import debugging
from tests.kernel_trees import gdb, tree_of

MAIN = "from sim.cli import main; main()"
ROOT = Path(__file__).parents[2]


def vpcisim(*arguments: str) -> str:
    """What it prints, with nobody at the keyboard."""
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.fixture
def schedule(tmp_path: Path) -> Path:
    """A schedule in which the driver, without its wait for queued work, uses a dead stack."""
    from sim.native import built

    gdb()
    tree = str(tree_of("6.12"))
    text = built(tree, None).driver_file.read_text()
    head, function, rest = text.partition("static int hv_pci_query_relations(")
    edited = tmp_path / "mine.c"
    edited.write_text(head + function + rest.replace("flush_workqueue(hbus->wq);", "", 1))
    vpcisim(
        *("explore", "rescind-during-query", "--driver", "kernel", "--tree", tree),
        *("--driver-file", str(edited), "--schedules", "2", "--save", str(tmp_path)),
    )
    (found,) = tmp_path.glob("*-dead-stack-*.json")
    return found


def test_gdb_stops_in_the_drivers_own_source(schedule: Path) -> None:
    printed = vpcisim("replay", str(schedule), "--gdb")
    assert "dead-stack" in printed
    assert "survey_child_resources (" in printed
    assert "pci_devices_present_work (" in printed  # who called, beyond what watches functions
    chosen, _, shown = printed.rpartition("survey_child_resources (")
    assert "vx_finding" in chosen
    assert "mine.c:" in shown
    assert "complete(event);" in shown


def test_without_gdb_it_says_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BuildError, match="apt-get install gdb"):
        debugging.debug(Path("x.json"))
