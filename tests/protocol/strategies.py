# SPDX-License-Identifier: MIT
"""Hypothesis strategies for the bytes of any structure: right ones, and damaged ones."""

from hypothesis import strategies as st

from protocol.codec import WireRecord
from protocol.shapes import Counted, UpTo, core

DRAWN_BYTES = 48  # larger structures repeat what was drawn, or examples grow too large


@st.composite
def image(draw: st.DrawFn, record: type[WireRecord]) -> bytes:
    """Bytes that are a right image of ``record``, its open end included."""
    fixed = bytearray(draw(_filled(record.SIZE)))
    tail = record.SHAPE.tail
    if tail is None:
        return bytes(fixed)
    last = core(record.CONSTRUCT.subcons[-1].subcon)
    if isinstance(last, UpTo):
        return bytes(fixed) + draw(st.binary(max_size=min(last.limit, 2 * DRAWN_BYTES)))
    count = draw(st.integers(0, 4))
    if isinstance(last, Counted):
        (leaf,) = (x for x in record.SHAPE.arrays if x.path.endswith(last.count_field))
        fixed[leaf.offset : leaf.offset + leaf.size] = count.to_bytes(leaf.size, "little")
    if tail.limit == 1 and count:  # one element, with an open end of its own
        return bytes(fixed) + draw(_filled(tail.stride + 8 * (count - 1)))
    return bytes(fixed) + draw(_filled(count * tail.stride))


@st.composite
def damaged(draw: st.DrawFn, record: type[WireRecord]) -> bytes:
    """An image cut off, drawn out, or with bytes changed (counts and sizes among them)."""
    data = bytearray(draw(image(record)))
    for _ in range(draw(st.integers(0, 3))):
        if data:
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    cut = draw(st.integers(0, len(data)))
    return bytes(data[: draw(st.sampled_from((cut, len(data))))]) + draw(st.binary(max_size=9))


def _filled(size: int) -> st.SearchStrategy[bytes]:
    if size <= DRAWN_BYTES:
        return st.binary(min_size=size, max_size=size)
    repeats = -(-size // DRAWN_BYTES)
    drawn = st.binary(min_size=DRAWN_BYTES, max_size=DRAWN_BYTES)
    return drawn.map(lambda pattern: (pattern * repeats)[:size])
