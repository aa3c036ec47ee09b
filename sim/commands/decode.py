# SPDX-License-Identifier: MIT
"""``vpcisim decode STRUCT HEX``: a structure's bytes, field by field."""

from __future__ import annotations

from typing import Annotated

import typer

from protocol.workbench import decode, names
from sim.commands import calling
from sim.commands.calling import AsJson, InputError, choose, print_json


def application() -> typer.Typer:
    return calling.application(decode_bytes)


def decode_bytes(
    struct: Annotated[
        str, typer.Argument(metavar="STRUCT", help="A structure's name, or `packet`.")
    ],
    data: Annotated[str, typer.Argument(metavar="HEX", help="Its bytes; spaces do not matter.")],
    as_json: AsJson = False,
) -> None:
    """Take a structure's bytes apart.

    Example: vpcisim decode pci_version_request "00 00 00 00 30 31 49 42 ..."
    """
    choose(struct, names(), "structure")
    try:
        raw = bytes.fromhex(data)
    except ValueError as error:
        raise InputError(f"HEX: {error}") from None
    size, fields = decode(struct, raw)
    if as_json:
        print_json({"struct": struct, "size": size, "fields": fields})
        return
    print(f"{struct}, {size} bytes")
    width = max(map(len, fields), default=0)
    for path, value in fields.items():
        shown = f"{value}  ({value:#x})" if isinstance(value, int) and value > 9 else str(value)
        print(f"  {path:<{width}}  {shown}")
