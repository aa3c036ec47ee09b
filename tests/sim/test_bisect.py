# SPDX-License-Identifier: MIT
"""``git bisect run`` with a schedule finds what broke the driver, as docs/bisect.md says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from sim.exploration import explored
from sim.explore.delay_plan import DelayPlan
from sim.keeping import as_found
from sim.schedule import write_schedule
from sim.setup import read_setup
from tests.documentation import Shell
from tests.house.sources import PACKAGES, ROOT

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")

SCRIPT, COMMANDS = re.findall(
    r"^```sh\n(.*?)^```$", (ROOT / "docs/bisect.md").read_text(), re.MULTILINE | re.DOTALL
)
RACING = read_setup("eject-during-probe", "eject-before-root-bus")
LOCK = "guest/pci_hyperv/bus.py"
EJECT = "guest/pci_hyperv/eject.py"
NO_LOCK = """
class NoLock(Mutex):
    async def lock(self) -> None: ...
    async def unlock(self) -> None: ...
DriverBase.new_state_lock = lambda self: NoLock(self.kernel, "state_lock")
"""
# What each commit does (a file, what is taken out, what is put in), and what the script says of it.
HISTORY = (
    ("begin", EJECT, "", "", 0),
    ("rename a lock", LOCK, '"device_list_lock"', '"children_lock"', 125),
    ("call it as before", LOCK, '"children_lock"', '"device_list_lock"', 0),
    ("break the build", EJECT, "async def", "async dfe", 125),
    ("mend the build", EJECT, "async dfe", "async def", 0),
    ("tidy up", LOCK, "", NO_LOCK, 1),
    ("begin anew", EJECT, "", "\n# The end.\n", 1),
)


def write_racing_schedule(file: Path) -> None:
    """An order in which the driver without its lock breaks, as if the lock were not in its text."""
    result = explored(RACING, strategy="delay", schedules=200, seed=0, jobs=1, progress=quiet)
    found = result.found[0]
    assert isinstance(found.plan, DelayPlan)
    schedule = replace(
        as_found(RACING, found, seed=0).schedule,
        setup=replace(RACING, defects=()),
        against={"guest": "a driver without its lock"},
        delays=found.plan.delays,
        in_words=True,
    )
    write_schedule(file, schedule)


def quiet(_done: int, _found: int) -> None:
    """Nobody watches."""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell in a repository with the history above."""
    shell = Shell(tmp_path)
    shell.run("git init --quiet && git config user.name me && git config user.email me@localhost")
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    for subject, name, old, new, _ in HISTORY:
        file = tmp_path / name
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new) if old else text + new)
        shell.run(f"git add {' '.join(PACKAGES)} && git commit --quiet --message '{subject}'")
    (tmp_path / "replays.sh").write_text(SCRIPT)
    write_racing_schedule(tmp_path / "schedule.json")
    return shell


def test_a_bisection_with_a_schedule_finds_the_commit_that_broke_the_driver(shell: Shell) -> None:
    last = len(HISTORY) - 1
    commits = [f"HEAD~{last - number}" for number in range(last + 1)]
    hashes = shell.run(f"git rev-parse {' '.join(commits)}").split()
    statuses = [
        shell.run(f"git checkout --quiet {commit}; sh replays.sh schedule.json 2> said; echo $?")
        for commit in hashes
    ]
    assert [int(status) for status in statuses] == [status for *_, status in HISTORY]

    commands = COMMANDS.replace("BAD", hashes[-1]).replace("GOOD", hashes[0])
    found = re.search(
        r"^(\w+) is the first bad commit$", shell.run(f"( {commands} ) 2> said"), re.MULTILINE
    )
    assert found is not None
    assert shell.run(f"git show --no-patch --format=%s {found[1]}").strip() == "tidy up"
