# SPDX-License-Identifier: MIT
"""Every command that README and docs show prints what they say it prints."""

import re
from pathlib import Path

import pytest

from sim.cli import COMMANDS
from tests.documentation import Shell, Shown, make_recipe, matches, shown_in, with_trees
from tests.house.sources import ROOT
from tests.kernel_trees import VARIABLES, tree_if_any, tree_of

DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
# What cannot be run by a test: the tests themselves. Its recipe is compared instead.
NOT_RUN = ("make test",)


def everything_shown() -> list[Shown]:
    return [shown for document in DOCUMENTS for shown in shown_in(document)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_commands_of_a_document_print_what_it_shows(document: Path, tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    trees = {version: tree for version in VARIABLES if (tree := tree_if_any(version))}
    for place, shown, output, kernels in shown_in(document):
        if shown in NOT_RUN or not kernels <= trees.keys():
            continue
        command = with_trees(shown, trees)
        # make demo is its recipe, played by the same shell as the rest.
        told = [line.removeprefix(".venv/bin/") for line in make_recipe("demo")]
        printed = shell.run("\n".join(told) if command == "make demo" else command)
        assert matches(output, printed), f"{place}: {command}\nprints\n{printed}"
    for version in {version for shown in shown_in(document) for version in shown.kernels}:
        tree_of(version)  # says what was left out, and how to have it


def test_the_two_make_targets_are_shown_first() -> None:
    first, second, *_ = shown_in(ROOT / "README.md")
    assert [first.command, second.command] == ["make demo", "make test"]
    recipes = {line for target in ("lint", "types", "unit") for line in make_recipe(target)}
    assert recipes <= set(second.output)


def test_every_command_is_shown_somewhere() -> None:
    commands = "\n".join(shown.command for shown in everything_shown())
    assert [name for name in COMMANDS if f"vpcisim {name}" not in commands] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_points_to_is_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert [link for link in links if not (document.parent / link).exists()] == []
    paths = re.findall(r"`((?:protocol|guest|host|sim|tests|examples|docs)/[\w./]+)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_an_ellipsis_stands_for_text_in_a_line_or_for_lines() -> None:
    assert matches(("a … c", "…", "z"), "a b c\nd\ne\nz\n")
    assert matches(("a", "…"), "a\n")
    assert not matches(("a … c",), "a b d\n")
    assert not matches(("a",), "a\nb\n")
