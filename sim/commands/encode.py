# SPDX-License-Identifier: MIT
"""``vpcisim encode STRUCT``: a structure's bytes from field values on standard input."""

from __future__ import annotations

import sys
from typing import Annotated

import msgspec
import typer

from protocol.workbench import encode, names
from sim.commands import calling
from sim.commands.calling import AsJson, InputError, choose, print_json


def application() -> typer.Typer:
    return calling.application(encode_fields)


def encode_fields(
    struct: Annotated[str, typer.Argument(metavar="STRUCT", help="A structure's name.")],
    as_json: AsJson = False,
) -> None:
    """Put a structure's bytes together from {path: value} in JSON on standard input.

    Missing fields are zero.

    Example: echo '{"wslot.slot": 1}' | vpcisim encode pci_eject_response
    """
    choose(struct, names(), "structure")
    try:
        values = msgspec.json.decode(sys.stdin.buffer.read(), type=dict[str, int | str])
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"standard input: {error}; give one object of paths and values") from None
    data = encode(struct, values)
    if as_json:
        print_json({"struct": struct, "size": len(data), "hex": data.hex()})
    else:
        print(data.hex())
