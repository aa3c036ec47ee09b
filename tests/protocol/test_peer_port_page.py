# SPDX-License-Identifier: MIT
"""The page about the peer port says what the declarations say."""

import re
from collections.abc import Iterator

from protocol.codec import WireRecord
from protocol.leaves import Leaf
from protocol.peer_orders import ORDERS, OrderKind
from protocol.peer_port import FRAMES, Unframer, encode
from tests.house.sources import ROOT

PAGE = (ROOT / "docs" / "peer-port.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"^([<>]) ([0-9a-f]+)  ([A-Z_]+)((?: \w+=\S+)*)$", re.MULTILINE)


def rows_of(heading: str) -> Iterator[list[str]]:
    """The cells of a table that begins so."""
    lines = PAGE.split(f"| {heading} ")[1].splitlines()[2:]
    for line in lines:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def body_of(record: type[WireRecord]) -> str:
    """A body's fields, as the table has them."""
    fields = [f"{leaf.path} {type_of(leaf)}" for leaf in record.SHAPE.leaves()]
    tail = record.SHAPE.tail
    last = record.__struct_fields__[-1]
    if tail is not None:
        limit = getattr(record.CONSTRUCT.subcons[-1].subcon, "limit", None)
        fields.append(f"{last} bytes<={limit}" if limit else f"{last} u64...")
    return ", ".join(fields)


def type_of(leaf: Leaf) -> str:
    return "guid" if leaf.size == 16 else f"u{8 * leaf.size}"


def words_of(kind: OrderKind) -> str:
    """An order's arguments, as the table has them."""
    return ", ".join(
        one.name if one.shape == "number" else f"{one.name} ({one.shape})" for one in kind.arguments
    )


def test_the_table_of_frames_is_that_of_the_declarations() -> None:
    told = [(int(kind), name, body) for kind, name, body, *_ in rows_of("kind")]
    assert told == [(kind, r.KERNEL_NAME, body_of(r)) for kind, r in FRAMES.items()]


def test_the_table_of_orders_is_that_of_the_declarations() -> None:
    told = [(int(number), name, words) for number, name, words, *_ in rows_of("order")]
    assert told == [(kind.number, name, words_of(kind)) for name, kind in ORDERS.items()]
    says = {name: what for _, name, _, what in rows_of("order")}
    assert [name for name, kind in ORDERS.items() if not says[name].startswith(kind.says)] == []


def test_the_example_decodes_to_what_it_says() -> None:
    lines = EXAMPLE.findall(PAGE)
    shown = PAGE.split("## An example")[1].split("```")[1].strip().splitlines()
    assert len(lines) == len(shown) > 5
    for _, data, name, fields in lines:
        (frame,) = Unframer().feed(bytes.fromhex(data))
        assert encode(frame).hex() == data
        assert name == frame.KERNEL_NAME
        for field in fields.split():
            key, _, value = field.partition("=")
            assert told(getattr(frame, key)) == value


def told(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode() if value.isalpha() else value.hex()
    return str(value)
