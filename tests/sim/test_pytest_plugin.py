# SPDX-License-Identifier: MIT
"""What a developer's own test says: in which order it failed, how to see it again, what is wrong.

Each test here writes a test file and runs pytest over it; what is slow to import is imported by
this file, since pytester forgets what an inner session has imported.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sim.testing.schedule import read_body_schedule
from sim.testing.trying import FOLDER
from tests.house.sources import ROOT
from tests.kernel_trees import tree_of

Run = Callable[..., pytest.RunResult]

HEAD = """
import pytest
from sim.testing import Violated, device, do, story, wait

EJECT = story(
    devices=[device("nvme0", vectors=1)],
    guest={"vcpus": 1},
    actors={"administrator": [
        do("offer", "nvme0"), wait("resources-assigned", "nvme0"), do("eject", "nvme0")]},
)
GONE = story(
    devices=[device("nvme0", vectors=1)],
    guest={"vcpus": 1},
    actors={"administrator": [
        do("offer", "nvme0"), wait("resources-assigned", "nvme0"), do("rescind", "nvme0")]},
    expect={"known": ["O9"]},
)
"""
# In some orders the function driver finds that the device is gone, and says so.
FAILING = """
@pytest.mark.vpci(schedules=60)
def test_gone(vpci):
    run = vpci.run(GONE)
    assert not run.errors
"""
OLD_BUG = """
@pytest.mark.vpci(schedules=60)
def test_old(vpci):
    vpci.run(EJECT, defects=["eject-before-root-bus"])
"""
AT_BOTH = OLD_BUG.replace("60", '60, versions=["1.3", "1.4"]')


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs pytest in this process over one test file, which is written first."""
    monkeypatch.setenv("PYTEST_PLUGINS", "sim.pytest_plugin")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def run_over(body: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(test_it=HEAD + body)
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)

    return run_over


def replays(result: pytest.RunResult) -> list[list[str]]:
    """The commands that the report ends with, without the word pytest."""
    lines = (line for line in result.outlines if line.startswith("replay   pytest "))
    return [shlex.split(line.removeprefix("replay   pytest ")) for line in lines]


def order(result: pytest.RunResult) -> list[str]:
    """What the report says of the order."""
    words = ("found ", "delay ", "fault ", "order ", "passes ", "unmet ", "mode ")
    return [line for line in result.outlines if line.startswith(words)]


def one_line(result: pytest.RunResult) -> str:
    """The line that is all of a refusal."""
    (line,) = re.findall(r"^_+ .* _+\n((?:.*\n)*?)=", f"{result.stdout}\n", re.MULTILINE)
    assert line.count("\n") == 1, line
    return str(line)


# --- what passes ---


def test_a_plain_test_plays_natural_order_and_sees_all_of_it(run: Run) -> None:
    result = run("""
def test_story(vpci):
    run = vpci.run(EJECT)
    assert (run.verdict, run.protocol) == ("clean", "1.4")
    assert vpci.version is None
def test_built_in(vpci):
    assert vpci.run("arrival", protocol="1.2").protocol == "1.2"
def test_old_bug(vpci):
    with pytest.raises(Violated) as caught:
        vpci.run("rescind-during-query", defects=["query-relations-stack-completion"])
    assert caught.value.violation.kind == "dead-stack"
    assert caught.value.run.sent("RESCIND_CHANNELOFFER")
""")
    result.assert_outcomes(passed=3)


def test_versions_are_parameters_of_the_id_and_of_the_world(run: Run) -> None:
    result = run(
        """
@pytest.mark.vpci(schedules=5, versions=["1.3", "1.4"])
@pytest.mark.parametrize("vectors", [1])
def test_it(vpci, vectors):
    assert vpci.run(EJECT).protocol == vpci.version
""",
        "-v",
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*::test_it?1.3-1? PASSED*", "*::test_it?1.4-1? PASSED*"])


def test_the_body_is_run_once_for_each_schedule(run: Run, pytester: pytest.Pytester) -> None:
    body = """
@pytest.mark.vpci(schedules=12)
def test_it(vpci):
    vpci.run(EJECT)
    with open("runs", "a") as file: file.write("x")
"""
    run(body).assert_outcomes(passed=1)
    first = len((pytester.path / "runs").read_text())
    run(body, "--vpci-schedules", "20").assert_outcomes(passed=1)
    assert len((pytester.path / "runs").read_text()) == first + first + 8


def test_collecting_plays_nothing(run: Run, pytester: pytest.Pytester) -> None:
    result = run(AT_BOTH + "    open('played', 'w')\n", "--collect-only", "-q")
    result.stdout.fnmatch_lines(["test_it.py::test_old?1.3?", "test_it.py::test_old?1.4?"])
    assert not (pytester.path / "played").exists()


# --- what fails ---


def test_an_old_bug_is_told_with_its_order_and_a_file(run: Run, pytester: pytest.Pytester) -> None:
    result = run(OLD_BUG)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *sim.testing.Violated: dead-device-access: *",
            "E *law broken: *",
            "*- vpcisim -*",
            "found    at schedule * of 60, by delay, with seed 0",
            "delay    `vmbus_add_channel_work` at its * until `hv_eject_device_work` has returned",
            "passes   in natural order",
            "replay   pytest test_it.py::test_old --vpci-replay vpcisim-schedules/*.json",
        ]
    )
    (_, _, file), *_ = replays(result)
    schedule = read_body_schedule(pytester.path / file)
    assert schedule.test == "test_it.py::test_old"
    assert schedule.delays[0].until.startswith("ended hv_eject_device_work")


def test_an_assertion_is_made_short_like_a_violation(run: Run) -> None:
    result = run(FAILING)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [">       assert not run.errors", "E *assert not (GuestError(*nvme_probe*"]
    )
    assert order(result)


def test_the_same_seed_gives_the_same_failure_and_another_one_draws_anew(run: Run) -> None:
    told = [order(run(OLD_BUG, *seed)) for seed in ((), (), ("--vpci-seed", "5"))]
    assert told[0] == told[1]
    assert told[2][0].endswith("with seed 5")


def test_other_processes_find_the_same_and_write_nothing(
    run: Run, pytester: pytest.Pytester
) -> None:
    alone = run(OLD_BUG)
    kept = ("--basetemp", "base", "--junitxml", "report.xml")
    body = OLD_BUG.replace("60", "60, jobs=2").replace("(vpci):", "(vpci, tmp_path):")
    result = run(body + "    open(tmp_path / 'a', 'w')\n", *kept)
    assert "found    at schedule" in (pytester.path / "report.xml").read_text()
    assert (pytester.path / "base" / "test_old0").exists()
    assert order(result) == order(alone)
    assert len(order(result)) > 1


@pytest.mark.parametrize("way", ["pytest.fail('no')", "raise KeyError('no')", "assert False"])
def test_whatever_fails_a_test_fails_it_here(run: Run, way: str) -> None:
    body = f"""
@pytest.mark.vpci(schedules=5)
def test_it(vpci):
    vpci.run(EJECT)
    {way}
"""
    result = run(body)
    result.assert_outcomes(failed=1)
    assert order(result) == ["found    before any of 5 schedules, with seed 0", "order    natural"]
    result = run(body, *replays(result)[0][1:])
    assert order(result) == ["order    natural", "mode     exact"]


@pytest.mark.parametrize(
    ("way", "outcome", "jobs"),
    [
        ("pytest.skip('no')", "skipped", 1),
        ("pytest.skip('no')", "skipped", 2),
        ("pytest.xfail('no')", "xfailed", 1),
    ],
)
def test_a_skip_in_some_order_is_no_failure(run: Run, way: str, outcome: str, jobs: int) -> None:
    body = FAILING.replace("60", f"60, jobs={jobs}")
    result = run(body.replace("assert not run.errors", f"if run.errors: {way}"))
    assert result.parseoutcomes() == {outcome: 1}


def test_several_worlds_of_one_body_are_one_order(run: Run, pytester: pytest.Pytester) -> None:
    result = run("""
SHORT = story(
    devices=[device("nvme0", vectors=1)],
    guest={"vcpus": 1},
    actors={"administrator": [
        do("offer", "nvme0"), wait("channel-offered", "nvme0"), do("rescind", "nvme0")]},
)
@pytest.mark.vpci(schedules=60)
def test_two(vpci):
    vpci.run(SHORT)
    vpci.run(EJECT, defects=["eject-before-root-bus"])
""")
    result.assert_outcomes(failed=1)
    (_, _, file), *_ = replays(result)
    schedule = read_body_schedule(pytester.path / file)
    assert len(schedule.delays) == 1
    # The second world's contexts go on counting where the first one's ended.
    assert {"administrator", "administrator#2"} <= {choice.name for choice in schedule.choices}


def test_a_folder_that_cannot_be_written_is_told(run: Run, pytester: pytest.Pytester) -> None:
    (pytester.path / FOLDER).touch()
    result = run(OLD_BUG)
    result.stdout.fnmatch_lines([f"unsaved  *{FOLDER}: *"])


def test_the_real_driver_is_explored_like_the_model(run: Run) -> None:
    tree = f"driver='kernel', tree={str(tree_of('6.12'))!r}"
    result = run(f"""
@pytest.mark.vpci(schedules=12, versions=["1.3"])
def test_two(vpci):
    first = vpci.run(EJECT, {tree})
    second = vpci.run(GONE, {tree})
    assert first.protocol == second.protocol == "1.3"
    assert first.devices == () and second.known == ("O9",)
    assert len(first.events("eject-completed", "nvme0")) == 1
""")
    result.assert_outcomes(passed=1)


# --- played again ---


def test_a_schedule_is_played_again_exactly(run: Run) -> None:
    """And of a test with versions, which is named with its own, alone."""
    command = replays(run(AT_BOTH, "-k", "1.3"))[0]
    assert command[0] == "test_it.py::test_old[1.3]"
    result = run(AT_BOTH, *command[1:])
    result.assert_outcomes(failed=1, deselected=1)
    assert order(result)[-1] == "mode     exact"


def test_once_the_driver_is_mended_it_passes_by_its_delays(run: Run) -> None:
    command = replays(run(OLD_BUG))[0]
    result = run(OLD_BUG.replace('"eject-before-root-bus"', ""), *command[1:])
    result.assert_outcomes(passed=1)
    assert [line[:5] for line in order(result)] == ["delay", "passe", "unmet", "mode "]
    assert "by-delays: the code has changed (test_it.py)" in order(result)[-1]


def test_a_schedule_is_for_its_own_test(run: Run) -> None:
    command = replays(run(OLD_BUG))[0]
    result = run(OLD_BUG + FAILING, "test_it.py::test_gone", *command[1:])
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --vpci-replay *: belongs to test_it.py::test_old, which is not among*"]
    )


def test_a_file_that_is_no_tests_schedule_is_refused(run: Run, pytester: pytest.Pytester) -> None:
    (pytester.path / "a.json").write_text('{"format": "vpcisim schedule 1"}')
    for file, told in (
        ("a.json", "it is a scenario's: play it with vpcisim replay"),
        ("b.json", "cannot be read: No such file or directory; check the path"),
        ("test_it.py", "write one with pytest"),
    ):
        result = run(FAILING, "--vpci-replay", file)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"ERROR: --vpci-replay *{file}: *{told}"])


def test_a_schedule_whose_delay_is_gone_says_so(run: Run) -> None:
    command = replays(run(OLD_BUG))[0]
    other = OLD_BUG.replace(
        "EJECT, defects=[", "'unload', defects=['bus-exit-sleeps-under-spinlock'] and ["
    )
    line = one_line(run(other, *command[1:]))
    assert "no longer applies: the delay of vmbus_add_channel_work" in line


# --- bad use ---


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        ("versions=['2.0']", "vpci.versions: must be one of 1.4, 1.3, 1.2, 1.1, not '2.0'"),
        ("versions='1.4'", "vpci.versions: must be a list, each one of 1.4"),
        ("schedules=0", "vpci.schedules: must be a whole number from 1 to"),
        ("schedule=5", "vpci.schedule: unknown key; did you mean 'schedules'?"),
        ("strategy='luck'", "vpci.strategy: must be one of portfolio, random"),
        ("500", "the marker vpci takes keywords only, such as schedules=500"),
    ],
)
def test_a_wrong_marker_is_one_line(run: Run, marker: str, told: str) -> None:
    result = run(f"""
@pytest.mark.vpci({marker})
def test_it(vpci): pass
""")
    result.assert_outcomes(errors=1)
    assert f"test_it.py::test_it: {told}" in result.stdout.str()
    assert "Traceback" not in result.stdout.str()


def test_an_options_number_is_checked_like_the_markers(run: Run) -> None:
    result = run(FAILING, "--vpci-schedules", "0")
    assert "vpci.schedules: must be a whole number from 1 to" in result.stdout.str()


def test_the_marker_needs_the_fixture(run: Run) -> None:
    result = run("""
@pytest.mark.vpci()
def test_it(): pass
""")
    told = "test_it.py::test_it: has the marker vpci and not the fixture; take vpci as an argument"
    assert told in result.stdout.str()


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("vpci.run('arival')", "scenario 'arival': no such built-in; there are "),
        ("vpci.run('none.toml')", "none.toml: cannot be read: No such file"),
        ("vpci.run(EJECT, defect=[])", "vpci.run has no option 'defect'; did you mean 'defects'?"),
        ("vpci.run(EJECT, defects=['x'])", "story: no defect 'x'; there are "),
        ("vpci.run(EJECT, defects='x')", "defects takes a list; write defects=['x']"),
        ("vpci.run(EJECT, laws=object)", "laws takes a list; write laws=[object]"),
        ("vpci.run(EJECT, laws=[3])", "story: a law: TypeError: 'int' object is not callable"),
        ("vpci.run(EJECT, knobs=[3])", "knobs takes a table of names and values, not [3]"),
        ("vpci.run(EJECT, device=3)", "device takes a path, not 3"),
        ("vpci.run(3)", "vpci.run takes a name, a path or a story, not 3"),
        ("vpci.run(EJECT, faults=['x'])", "story: no fault 'x'; there are "),
        ("vpci.run(EJECT, profile='x')", "story: no profile 'x'; there are hyperv, openvmm"),
        ("vpci.run(EJECT, protocol='2')", "story: no protocol '2'; there are 1.4"),
        ("vpci.run(EJECT, driver='x')", "story: no driver 'x'; there are model, kernel"),
        ("vpci.run(EJECT, driver='kernel')", "story: driver='kernel' needs tree: a Linux tree"),
        ("vpci.run(EJECT, tree='x')", "story: tree is for the real driver; add driver='kernel'"),
        ("vpci.run(EJECT, knobs={'x': 1})", "story: host.knobs.x: unknown knob; known: "),
        ("vpci.run(EJECT, laws=['x.py'])", "x.py: is no file; name a Python file"),
        ("vpci.run(EJECT, laws=[object])", "object: has no name, kind, sees, end"),
        ("vpci.run(EJECT, device='x')", "x: file: cannot be read"),
        ("vpci.run(EJECT, profile='openvmm')", "story: story cannot be played so: the openvmm"),
        ("vpci.run(EJECT).events('eject')", "no event 'eject'; did you mean"),
        ("vpci.run(EJECT).events('d0-entered', 'x')", "no device 'x'; known: nvme0"),
        ("vpci.run(EJECT).sent('EJECT')", "no message 'EJECT'; did you mean 'PCI_EJECT'?"),
        ("vpci.run(story(devices=[], actors={}))", "story: device: must be a list of at least"),
        ("vpci.run(story(devices=[device('a', vectors=object())], actors={}))", "a story holds"),
    ],
)
@pytest.mark.parametrize("marker", ["", "@pytest.mark.vpci(schedules=5)"])
def test_what_cannot_be_played_is_one_line(run: Run, marker: str, call: str, told: str) -> None:
    result = run(f"""
{marker}
def test_it(vpci):
    {call}
""")
    result.assert_outcomes(failed=1)
    assert told in one_line(result)
    assert not order(result)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("pass", "its body runs no world; call vpci.run in it, or take the marker off"),
        (
            "seen.append(1); vpci.run(EJECT if len(seen) % 3 else 'arrival')",
            "the body does not make the same choices again: schedule 1 (delay), played twice, came",
        ),
        (
            "seen.append(1); vpci.run(EJECT); assert len(seen) > 1",
            "the body does not make the same choices again: natural order failed in a way that",
        ),
        (
            "seen.append(1); vpci.run(EJECT); assert len(seen) != 30",
            "the body does not make the same choices again: schedule 20 (delay) failed in a way",
        ),
    ],
)
def test_a_body_that_cannot_be_explored_is_one_line(run: Run, body: str, told: str) -> None:
    result = run(f"""
seen = []
@pytest.mark.vpci(schedules=40)
def test_it(vpci):
    {body}
""")
    result.assert_outcomes(failed=1)
    assert told in one_line(result)


def test_a_world_outside_the_body_cannot_be_explored(run: Run) -> None:
    result = run("""
@pytest.fixture
def early(vpci): return vpci.run(EJECT)
@pytest.mark.vpci(schedules=5)
def test_it(early): pass
""")
    assert "a world was run outside the body" in result.stdout.str()


def test_a_coroutine_is_no_body(run: Run) -> None:
    result = run("""
@pytest.mark.vpci(schedules=5)
async def test_it(vpci): pass
""")
    assert "the body of a test that takes vpci is a plain function" in one_line(result)


# --- beside others ---


@pytest.mark.parametrize("after", [3, 80])
def test_an_interruption_keeps_what_was_found(
    run: Run, pytester: pytest.Pytester, after: int
) -> None:
    """While the first orders are tried, or the one that failed is made short."""
    run("def test_nothing(): pass")
    pytester.makepyfile(
        test_it=HEAD
        + f"""
runs = []
@pytest.mark.vpci(schedules=60)
def test_it(vpci):
    runs.append(1)
    if len(runs) == {after}:
        raise KeyboardInterrupt
    vpci.run(EJECT, defects=["eject-before-root-bus"])
"""
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert bool(replays(result)) == (after == 80)


def test_it_works_in_the_processes_of_xdist(run: Run) -> None:
    result = run(AT_BOTH, "-n", "2")
    result.assert_outcomes(failed=2)
    assert len(replays(result)) == 4
    result = run(AT_BOTH, "-n", "2", *replays(result)[0][1:])
    assert order(result)[-1] == "mode     exact"


def test_it_is_loaded_once_whoever_names_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its entry point, as after an installation, by ``-p`` and by the environment."""
    installed = pytester.mkdir("installed") / "vpcisim-0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: vpcisim\nVersion: 0\n")
    project = (ROOT / "pyproject.toml").read_text()
    (entry,) = re.findall(r"\[project\.entry-points\.pytest11\]\n(.*)\n", project)
    (installed / "entry_points.txt").write_text("[pytest11]\n" + entry.replace('"', "") + "\n")
    monkeypatch.setenv("PYTHONPATH", f"{installed.parent}:{ROOT}")
    monkeypatch.setenv("PYTEST_PLUGINS", "sim.pytest_plugin")
    pytester.makepyfile(test_it="def test_it(vpci): vpci.run('arrival')")
    for options in ((), ("-p", "sim.pytest_plugin")):
        result = pytester.runpytest_subprocess("--trace-config", *options)
        result.assert_outcomes(passed=1)
        names = [line for line in result.outlines if "sim.pytest_plugin" in line]
        assert len([line for line in names if line.strip().startswith("sim.pytest_plugin")]) == 1
    monkeypatch.delenv("PYTEST_PLUGINS")
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_session_that_asks_for_nothing_imports_no_laboratory(pytester: pytest.Pytester) -> None:
    heavy = ("numpy", "construct", "simpy", "msgspec", "typer", "guest", "host", "protocol")
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import sim.pytest_plugin, sim.testing;"
        f" print([name for name in {heavy} if name in sys.modules])"
    )
    done = pytester.run(sys.executable, "-c", code)
    assert done.outlines == ["[]"]


def test_the_example_finds_what_it_says(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_PLUGINS", "sim.pytest_plugin")
    pytester.copy_example(str(ROOT / "examples" / "test_eject.py"))
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--vpci-schedules", "60")
    assert result.parseoutcomes() == {"passed": 3, "failed": 1}
    assert Path(replays(result)[0][2]).parent == Path(FOLDER)
