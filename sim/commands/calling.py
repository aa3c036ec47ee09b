# SPDX-License-Identifier: MIT
"""What the subcommands share: calling typer, one-line errors, names to choose from, JSON.

Knows exit statuses and no subcommand. Nothing here imports rich: help is plain text.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, TypeAlias

import msgspec
import typer

from guest.native.errors import BuildError
from protocol.errors import ProtocolError
from sim.cli import BAD_INPUT, FOUND, LACKING, OK
from sim.explore.limits import SEED_MAX

AsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON document and nothing else.")
]
Seed: TypeAlias = Annotated[
    int,
    typer.Option(
        "--seed",
        min=0,
        max=SEED_MAX,
        help="What choices are drawn from; natural order draws nothing.",
    ),
]


class InputError(Exception):
    """Bad usage or input, told in one line."""


class LackingError(Exception):
    """Something the environment does not have, told in one line."""


class FoundError(Exception):
    """What was found instead of the result that was asked for."""


def application(command: Callable[..., object]) -> typer.Typer:
    """A typer application of one command; its docstring is the help."""
    app = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.command()(command)
    return app


def call(app: typer.Typer, program: str, arguments: Sequence[str]) -> int:
    """Run an application; every refusal becomes one line on standard error and a status."""
    try:
        status = app(list(arguments), prog_name=program, standalone_mode=False)
    except typer.TyperException as error:
        return _refuse(program, error.format_message(), BAD_INPUT)
    except (InputError, ProtocolError) as error:
        return _refuse(program, str(error), BAD_INPUT)
    except (LackingError, BuildError) as error:
        return _refuse(program, str(error), LACKING)
    except FoundError as error:
        return _refuse(program, str(error), FOUND)
    except SystemExit as leaving:
        # typer makes status 1 of a reader that has gone; here 1 means that something was found.
        if isinstance(leaving.__context__, BrokenPipeError):
            raise leaving.__context__ from None
        raise
    return status if isinstance(status, int) else OK


def _refuse(program: str, message: str, status: int) -> int:
    print(f"{program}: {' '.join(message.split())}", file=sys.stderr)
    return status


def choose(name: str, valid: Iterable[str], what: str) -> str:
    """The name, if it is one of the valid ones; else an error that lists them."""
    names = tuple(valid)
    if name not in names:
        raise InputError(f"no {what} {name!r}; there are {', '.join(names)}")
    return name


def print_json(document: object) -> None:
    """One JSON document on standard output, in UTF-8 whatever the locale says."""
    data = msgspec.json.format(msgspec.json.encode(document, enc_hook=str), indent=2)
    sys.stdout.flush()  # what is buffered as text goes first
    sys.stdout.buffer.write(data + b"\n")


def check_file(path: Path | None) -> None:
    """Refuse a file in a folder that is not there, before long work. Raises InputError."""
    if path is not None and not path.parent.is_dir():
        raise InputError(f"{path}: there is no such folder; make it, or name another file")


def unwritable(path: object, error: OSError) -> InputError | LackingError:
    """The line for a file that cannot be written: a wrong place, or a disk without room."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return LackingError(f"{path}: {error.strerror}; make room for it")
    return InputError(f"{path}: {error.strerror or error}; name a file that can be written")
