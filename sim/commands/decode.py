# SPDX-License-Identifier: MIT
"""``vpcisim decode STRUCT HEX``: a structure's bytes, field by field."""

from __future__ import annotations

from string import hexdigits
from typing import Annotated, Final

import typer

from protocol.workbench import decode, names
from sim.commands import calling
from sim.commands.calling import AsJson, InputError, choose, print_json

AS_IN: Final = "write two for each byte, as in 00ff, 00:ff or 0x00ff"


def application() -> typer.Typer:
    return calling.application(decode_bytes)


def decode_bytes(
    struct: Annotated[
        str, typer.Argument(metavar="STRUCT", help="A structure's name, or `packet`.")
    ],
    data: Annotated[
        str, typer.Argument(metavar="HEX", help="Its bytes; 0x, ':' and blanks do not matter.")
    ],
    as_json: AsJson = False,
) -> None:
    """Take a structure's bytes apart.

    Example: vpcisim decode pci_version_request "00 00 00 00 30 31 49 42 ..."
    """
    choose(struct, names(), "structure")
    size, fields = decode(struct, _bytes_of(data))
    if as_json:
        print_json({"struct": struct, "size": size, "fields": fields})
        return
    print(f"{struct}, {size} bytes")
    width = max(map(len, fields), default=0)
    for path, value in fields.items():
        shown = f"{value}  ({value:#x})" if isinstance(value, int) and value > 9 else str(value)
        print(f"  {path:<{width}}  {shown}")


def _bytes_of(text: str) -> bytes:
    """Bytes as tools print them: ``00ff``, ``00 ff``, ``00:ff``, ``0x00ff``, ``0x00 0xff``."""
    words = [word.lower().removeprefix("0x") for word in text.replace(":", " ").split()]
    for word in words:
        if wrong := next((sign for sign in word if sign not in hexdigits), None):
            raise InputError(f"HEX: {wrong!r} is no hexadecimal digit; {AS_IN}")
        if len(word) % 2:
            raise InputError(f"HEX: {word!r} has an odd number of digits; {AS_IN}")
    return bytes.fromhex("".join(words))
