# SPDX-License-Identifier: MIT
"""The arrows of the house: who may import whom, and where each outside library is at home."""

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.house.sources import PACKAGES, below, imports_of, python_files, tree_of

# Who may import which of our packages and which outside libraries.
ARROWS: Mapping[str, frozenset[str]] = {
    "protocol": frozenset({"protocol", "construct", "msgspec"}),
    "guest": frozenset({"guest", "protocol", "msgspec"}),
    "host": frozenset({"host", "protocol", "msgspec", "numpy"}),
    "sim": frozenset(
        {*PACKAGES, "jinja2", "junitparser", "msgspec", "numpy", "pytest", "rich", "simpy"}
        | {"typer"}
    ),
    "benchmarks": frozenset({*PACKAGES, "msgspec", "numpy", "rich", "simpy", "typer"}),
    "examples": frozenset({*PACKAGES, "pytest"}),
    "tests": frozenset(
        {
            *PACKAGES,
            "tests",
            "construct",
            "hypothesis",
            "msgspec",
            "numpy",
            "pytest",
            "simpy",
            "xmlschema",
        }
        | {"rich", "typer"}
    ),
}

# Only these read the wall clock.
WALL_CLOCK = ("sim/bench", "benchmarks", "sim/campaign.py", "sim/peer", "guest/native", "tests")
CLOCKS = frozenset({"time", "datetime"})
# Only this knows randomness (tests draw through hypothesis).
RANDOMNESS = ("sim/choices.py",)
DICE = ("random", "secrets", "numpy.random", "os.urandom", "uuid.uuid1", "uuid.uuid4")
# Only this suspends guest code.
SUSPENDS = ("guest/kernel/ops.py",)


def arrows(top: str) -> Iterator[tuple[Path, int, str]]:
    for path in python_files(top):
        for line, name in imports_of(path):
            yield path, line, name


def test_imports_run_along_the_arrows_of_the_architecture() -> None:
    wrong = [
        f"{path}:{line} imports {name}"
        for top, allowed in ARROWS.items()
        for path, line, name in arrows(top)
        if (first := name.partition(".")[0]) not in allowed and first not in sys.stdlib_module_names
    ]
    assert not wrong


def test_guest_and_host_never_meet_inside_their_own_packages() -> None:
    # Said once more without the table, so that a slip in the table shows.
    assert not [a for a in arrows("guest") if a[2].partition(".")[0] in {"host", "sim"}]
    assert not [a for a in arrows("host") if a[2].partition(".")[0] in {"guest", "sim"}]
    assert not [a for a in arrows("protocol") if a[2].partition(".")[0] in set(PACKAGES[1:])]


def test_the_kernel_of_the_guest_knows_no_bus_and_no_device() -> None:
    known = ("guest.kernel.", "guest.events.", "guest.port.")
    inside = [a for a in arrows("guest") if below(a[0], "guest/kernel")]
    assert not [a for a in inside if a[2].startswith("guest.") and not a[2].startswith(known)]


def test_no_package_is_imported_under_its_bare_name() -> None:
    # ``import host`` would be hidden by every local called ``host``.
    wrong = [
        f"{path}:{node.lineno}"
        for path in python_files()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Import)
        and any(a.name.split(".")[0] in PACKAGES for a in node.names)
    ]
    assert not wrong


def test_nothing_in_the_guest_imports_its_historical_bugs() -> None:
    wrong = [a for a in arrows("guest") if a[2].startswith("guest.defects")]
    assert not [a for a in wrong if not below(a[0], "guest/defects")]


def test_construct_stays_behind_the_border() -> None:
    users = {
        path
        for top in ("sim", "benchmarks", "tests")
        for path, _, name in arrows(top)
        if name.startswith("construct")
    }
    assert not [
        path for path in users if not below(path, "sim/bench", "tests/protocol", "benchmarks")
    ]


def test_only_the_plugin_knows_pytest() -> None:
    # A machine that runs the commands need not have it.
    users = {path for path, _, name in arrows("sim") if name.partition(".")[0] == "pytest"}
    assert not [path for path in users if not below(path, "sim/pytest_plugin.py", "sim/testing")]
    plugin = [a for a in arrows("sim") if a[2].startswith("sim.testing.")]
    assert not [a for a in plugin if not below(a[0], "sim/pytest_plugin.py", "sim/testing")]


def test_only_benchmarks_and_watchdogs_read_the_wall_clock() -> None:
    wrong = [
        f"{path}:{line} imports {name}"
        for path in python_files(*PACKAGES)
        if not below(path, *WALL_CLOCK)
        for line, name in imports_of(path)
        if name.partition(".")[0] in CLOCKS
    ]
    assert not wrong


def test_only_the_choices_know_randomness() -> None:
    wrong = [
        f"{path}:{line} imports {name}"
        for path in python_files(*PACKAGES)
        if not below(path, *RANDOMNESS)
        for line, name in imports_of(path)
        if any(name == dice or name.startswith(dice + ".") for dice in DICE)
    ]
    wrong += [
        f"{path}:{node.lineno} uses {dotted}"
        for path in python_files(*PACKAGES)
        if not below(path, *RANDOMNESS)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute)
        and (dotted := ast.unparse(node)) in {*DICE, "np.random", "os.getpid"}
    ]
    assert not wrong


def test_only_ops_suspends_guest_code() -> None:
    wrong = [
        f"{path}:{node.lineno}"
        for path in python_files("guest")
        if not below(path, *SUSPENDS)
        for node in ast.walk(tree_of(path))
        if (isinstance(node, ast.Attribute) and ast.unparse(node) == "types.coroutine")
        or (isinstance(node, ast.FunctionDef) and node.name == "__await__")
    ]
    assert not wrong


def test_guest_code_unwinds_explicitly() -> None:
    # A schedule may be abandoned at any await: nothing may await while it unwinds.
    wrong = []
    for path in python_files("guest"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.AsyncWith):
                wrong.append(f"{path}:{node.lineno} async with")
            if isinstance(node, ast.Try):
                awaits = [n for last in node.finalbody for n in ast.walk(last)]
                wrong += [f"{path}:{n.lineno} await" for n in awaits if isinstance(n, ast.Await)]
    assert not wrong
