# SPDX-License-Identifier: MIT
"""Which guest driver a command plays with: the options, and what of them does not go together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple, TypeAlias

import typer

from sim.commands.calling import InputError, choose
from sim.scenario_grammar import DRIVERS

if TYPE_CHECKING:
    from sim.guests import Guests

ARCHIVES: Final = Path("/usr/src")  # where Debian's linux-source packages put them

Driver: TypeAlias = Annotated[
    str,
    typer.Option(metavar="NAME", help="The guest driver: the reference model, or kernel's own."),
]
Tree: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="TREE", help="A Linux tree or linux-source-*.tar.xz, for kernel."),
]
NeededTree: TypeAlias = Annotated[
    Path, typer.Option(metavar="TREE", help="A Linux tree, or a linux-source-*.tar.xz.")
]
DriverFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Your pci-hyperv.c in place of the tree's."),
]
DataRaces: TypeAlias = Annotated[
    bool,
    typer.Option("--data-races", help="Look for data races too, in kernel. Costs time."),
]

Coverage: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Write there which lines of kernel's driver have been run."),
]


class DriverChoice(NamedTuple):
    """``name`` is one of DRIVERS; the real driver is built from ``tree`` and ``file``."""

    name: str = "model"
    tree: Path | None = None
    file: Path | None = None
    data_races: bool = False
    coverage: Path | None = None

    def checked(self) -> DriverChoice:
        """The choice, if it goes together. Raises InputError."""
        choose(self.name, DRIVERS, "driver")
        given = {
            "--tree": self.tree,
            "--driver-file": self.file,
            "--data-races": self.data_races,
            "--coverage": self.coverage,
        }
        if self.name == "model" and any(given.values()):
            option = next(name for name, value in given.items() if value)
            raise InputError(f"{option} is for the real driver; add --driver kernel")
        if self.name == "kernel" and self.tree is None:
            here = sorted(map(str, ARCHIVES.glob("linux-source-*.tar.xz")))
            like = f"such as {here[-1]}" if here else "or Debian's linux-source-*.tar.xz"
            raise InputError(f"--driver kernel needs --tree: a Linux tree, {like}")
        return self

    def guests(self) -> Guests | None:
        """What makes its guests; None for the model's. Raises BuildError."""
        if self.name == "model":
            return None
        from sim.native import native_guests  # a compiler's and ctypes' matters

        return native_guests(self.tree_path, self.file_path, data_races=self.data_races)

    @property
    def tree_path(self) -> str | None:
        """Absolute, since a setup is read elsewhere."""
        return _text(self.tree)

    @property
    def file_path(self) -> str | None:
        """Absolute, as above."""
        return _text(self.file)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path.resolve())
