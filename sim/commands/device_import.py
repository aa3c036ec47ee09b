# SPDX-License-Identifier: MIT
"""``vpcisim device import``: a real ``lspci -vvv -xxxx`` capture as a device profile."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from host.devices.capture import load_device
from host.devices.importing import Imported
from host.devices.problems import DeviceFileError
from host.devices.profile_file import save_profile
from host.devices.sizes import parse_bar_sizes
from sim.commands import calling
from sim.commands.calling import AsJson, InputError, print_json, unwritable
from sim.files import whole_file
from sim.report.devices import device_dict, device_line

STANDARD_OUTPUT: Final = Path("-")


def application() -> typer.Typer:
    return calling.application(import_device)


def import_device(
    file: Annotated[str, typer.Argument(metavar="FILE", help="FILE#ADDRESS picks one of several.")],
    name: Annotated[str | None, typer.Option(help="What to call it; else the file's name.")] = None,
    bar_size: Annotated[
        list[str] | None,
        typer.Option(metavar="I=SIZE", help="Size of a BAR the capture does not tell, as 1=128G."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Write the profile here, for run --device; - is standard output."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take a real lspci -vvv -xxxx capture as a device profile.

    Example: vpcisim device import nic.txt --bar-size 0=16M --output nic.json
    """
    try:
        imported = load_device(file, name=name, bar_sizes=parse_bar_sizes(bar_size or []))
    except DeviceFileError as error:
        raise InputError(str(error)) from None
    if output == STANDARD_OUTPUT:
        _print_profile(imported, as_json=as_json)
        return
    if output is not None:
        _write(output, save_profile(imported.profile))
    # What run --device takes: the profile if one was written, else the capture itself.
    _print(imported, file if output is None else str(output), as_json=as_json)


def _print(imported: Imported, usable: str, *, as_json: bool) -> None:
    if as_json:
        document = device_dict(imported.profile)
        print_json({**document, "file": usable, "notes": imported.notes})
        return
    print(f"{imported.profile.name}  {device_line(imported.profile)}")
    for note in imported.notes:
        print(f"note: {note}")


def _print_profile(imported: Imported, *, as_json: bool) -> None:
    """The profile alone; what a reader should know of it goes to standard error."""
    if as_json:
        raise InputError("--json and --output - both want standard output; drop one of them")
    for note in imported.notes:
        print(f"note: {note}", file=sys.stderr)
    print(save_profile(imported.profile), end="")


def _write(path: Path, text: str) -> None:
    try:
        with whole_file(path) as stream:
            stream.write(text.encode())
    except OSError as error:
        raise unwritable(path, error) from None
