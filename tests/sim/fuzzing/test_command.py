# SPDX-License-Identifier: MIT
"""``python -m benchmarks.fuzz``: one life again, and what it says without its engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sim.fuzzing.campaign import PACKETS_A_PART
from tests.house.sources import ROOT
from tests.sim.fuzzing.figures import PARTS, figures

LACKS_SOMETHING, BAD_USAGE = 3, 2
# The command as it is on a machine that has no atheris.
COMMAND = (
    "import runpy, sys; sys.modules['atheris'] = None;"
    " runpy.run_module('benchmarks.fuzz', run_name='__main__')"
)


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_its_engine_it_names_the_remedy_in_a_line() -> None:
    told = ran("host", "--seconds", "1")
    assert (told.returncode, told.stdout) == (LACKS_SOMETHING, "")
    assert told.stderr.startswith("atheris is not installed: pip install atheris")
    assert told.stderr.count("\n") == 1


@pytest.mark.parametrize("target", ["host", "guest"])
def test_a_life_is_played_again_by_its_number_or_its_bytes(target: str, tmp_path: Path) -> None:
    found = tmp_path / "found"
    found.write_bytes(bytes(range(200)))
    for which in (("--seed", "0", "--life", "3"), ("--bytes", str(found))):
        told = ran(target, *which)
        assert (told.returncode, told.stderr) == (0, "")
        assert told.stdout.endswith(" packets, and nothing is wrong\n")


def test_a_file_that_is_not_there_is_bad_usage(tmp_path: Path) -> None:
    told = ran("host", "--bytes", str(tmp_path / "none"))
    assert (told.returncode, told.stdout) == (BAD_USAGE, "")
    assert told.stderr.count("\n") == 1


def test_a_campaign_says_how_many_packets_were_survived_and_what_ended_lives() -> None:
    told = ran("guest", "--seed", "0", "--packets", "300")
    assert (told.returncode, told.stderr) == (0, "")
    survived, ended, *items = told.stdout.splitlines()
    assert int(survived.partition(" ")[0]) >= 300
    assert ended.endswith("ended in an open item of the driver, by a packet each")
    assert sum(int(line.split()[0]) for line in items) == int(ended.partition(" ")[0])


def test_one_is_told_in_the_singular() -> None:
    assert ran("host", "--packets", "1").stdout.endswith(" survived, in 1 life\n")


def test_a_life_before_the_first_is_bad_usage() -> None:
    told = ran("host", "--life", "-1")
    assert (told.returncode, told.stdout) == (BAD_USAGE, "")
    assert "there is no life '-1'; give a number from 0 on" in told.stderr


def test_a_campaign_of_nothing_is_bad_usage() -> None:
    told = ran("host", "--packets", "0")
    assert (told.returncode, told.stdout) == (BAD_USAGE, "")
    assert "give a number from 1 on" in told.stderr


@pytest.mark.parametrize("target", ["host", "guest"])
def test_the_documented_campaigns_survive_what_is_claimed(target: str) -> None:
    assert figures(target)["packets survived"] >= PARTS * PACKETS_A_PART
