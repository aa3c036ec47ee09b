# SPDX-License-Identifier: MIT
"""The ``vpcisim`` command: finds the subcommand, turns every outcome into an exit status.

The overview is printed from the table below without importing anything else, so that asking for
help is quick; each subcommand is a typer application in a module of its own, imported when it is
asked for.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

OK: Final = 0
FOUND: Final = 1  # a violation, a non-conformance, a difference
BAD_INPUT: Final = 2
LACKING: Final = 3  # something the environment does not have
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it
NOBODY_READS: Final = 141  # 128 + SIGPIPE


class Command(NamedTuple):
    """Where a subcommand is, and what the overview says of it."""

    module: str
    says: str


COMMANDS: Final[Mapping[str, Command]] = {
    "scenarios": Command(
        "scenarios", "list the built-in scenarios by theme, or print their grammar"
    ),
    "races": Command("races", "list historical bugs and what is open in the driver to this day"),
    "devices": Command("devices", "list the built-in device profiles"),
    "run": Command("run", "play one scenario and show its messages and its verdict"),
    "explore": Command("explore", "play many orders of a scenario and save those that fail"),
    "replay": Command("replay", "play a saved schedule again"),
    "lspci": Command("lspci", "print what the guest sees at the end of a scenario"),
    "diff": Command("diff", "find the first event in which two traces differ"),
    "decode": Command("decode", "take a structure's bytes apart"),
    "encode": Command("encode", "put a structure's bytes together"),
    "device import": Command("device_import", "import a real device from an lspci capture"),
    "kernel build": Command("kernel_build", "build the real driver out of a Linux tree"),
    "kernel info": Command("kernel_info", "tell what a driver was built from"),
    "conformance host": Command("conformance_host", "put a host to the suite, case by case"),
    "conformance guest": Command("conformance_guest", "put a guest driver to the suite"),
    "peer serve": Command("peer_serve", "offer our host to guests in other processes"),
    "peer record": Command("peer_record", "keep what passes between peers, and judge it"),
    "bench codec": Command("bench_codec", "measure the codec beside construct's"),
    "bench lifecycle": Command("bench_lifecycle", "measure what a device's life costs"),
    "bench explore": Command("bench_explore", "measure what a schedule costs"),
    "bench conformance": Command("bench_conformance", "measure what the suite costs"),
}

_EXAMPLE: Final = "vpcisim run arrival --protocol 1.4"


def overview() -> str:
    """What ``vpcisim --help`` prints."""
    width = max(map(len, COMMANDS))
    lines = [
        "Usage: vpcisim COMMAND [OPTIONS]",
        "",
        "A laboratory for Hyper-V virtual PCI: a host, a guest driver, and what happens between.",
        "",
        "Commands:",
        *(f"  {name:<{width}}  {command.says}" for name, command in COMMANDS.items()),
        "",
        "Options:",
        f"  {'--help':<{width}}  this text; vpcisim COMMAND --help tells about one command",
        f"  {'--version':<{width}}  the version",
        "",
        f"Example: {_EXAMPLE}",
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not _streams():
        return LACKING
    # Ctrl-C may come before a coroutine has begun; to find a forgotten await is mypy's.
    warnings.filterwarnings("ignore", r"coroutine '.*' was never awaited", RuntimeWarning)
    try:
        status = _dispatch(given)
        sys.stdout.flush()  # here, where a reader that has gone is no error
        return status
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Python would complain again when it flushes standard output on the way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS
    except OSError as error:  # commands answer for their own files; this is standard output
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"vpcisim: standard output: {error.strerror}; make room for it", file=sys.stderr)
        return LACKING


def _streams() -> bool:
    """Whether there is a standard output; makes both streams take every character."""
    if sys.stderr is None:  # closed (2>&-): print() would write its errors to standard output
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - as long-lived as the process
    if sys.stdout is None:
        print(
            "vpcisim: there is no standard output; do not close it, or use >FILE", file=sys.stderr
        )
        return False
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error is from the start
    return True


def _dispatch(given: list[str]) -> int:
    name = given[0] if given else "--help"
    if name in ("--help", "-h"):
        print(overview())
        return OK
    if name == "--version":
        from importlib.metadata import version

        print(f"vpcisim {version('vpcisim')}")
        return OK
    if name not in COMMANDS and given[1:]:
        name = f"{name} {given[1]}"
    if name not in COMMANDS:
        return _unknown(name)
    from sim.commands.calling import call  # brings typer

    module = import_module(f"sim.commands.{COMMANDS[name].module}")
    return call(module.application(), f"vpcisim {name}", given[len(name.split()) :])


def _unknown(name: str) -> int:
    """Say which commands there are; of one group if the first word is right."""
    first, _, rest = name.partition(" ")
    group = [known for known in COMMANDS if known.startswith(f"{first} ")]
    if group and rest in ("--help", "-h"):
        print("\n".join(f"vpcisim {known} --help  {COMMANDS[known].says}" for known in group))
        return OK
    wrong = name if group else first
    there_are = ", ".join(group or COMMANDS)
    print(f"vpcisim: no command {wrong!r}; there are {there_are}", file=sys.stderr)
    return BAD_INPUT
