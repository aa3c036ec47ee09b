# SPDX-License-Identifier: MIT
"""The message sequence as a picture: one lane each for host, channel and the guest's contexts.

Colours and the width of the screen matter on a terminal only; elsewhere the text is the same bytes
every time. On a terminal too narrow for it the lanes stand close together and the messages' names
beside them. What has a row is decided in ``sim/report/lane_rows.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, TextIO

from sim.report.lane_rows import LANES, TO_HOST, Row, rows_of
from sim.trace import Stamped

_TIME_WIDTH: Final = 12
_GUEST_LANES_FROM: Final = 2  # in LANES
_GUEST_LANES: Final = LANES[_GUEST_LANES_FROM:]
# What is drawn, and what stands for it where the encoding has no such characters.
_ASCII: Final = str.maketrans("│─┼●►◄", "|-+*><")


class Layout(NamedTuple):
    """Widths in columns, the heading over the lanes, and whether names stand in the channel."""

    channel_width: int
    lane_width: int
    heading: str
    names_in_channel: bool


WIDE: Final = Layout(
    channel_width=46,
    lane_width=8,
    heading=f"host {'channel':^42}" + "".join(f"{lane:<8}" for lane in _GUEST_LANES).rstrip(),
    names_in_channel=True,
)
NARROW: Final = Layout(
    channel_width=4,
    lane_width=3,
    heading="h    s  w  t  (h host, s softirq, w work, t thread)",
    names_in_channel=False,
)


def lines_of(rows: Iterable[Row], layout: Layout = WIDE) -> Iterator[str]:
    """The picture as plain text, a heading first."""
    yield f"{'time':>{_TIME_WIDTH}}  {layout.heading}"
    for row in rows:
        beside = (
            row.note if layout.names_in_channel else " ".join(filter(None, (row.message, row.note)))
        )
        yield f"{_time(row.at_ns):>{_TIME_WIDTH}}  {_drawn(row, layout)}{beside}".rstrip()


def encodable(text: str, encoding: str | None) -> str:
    """The text as it is, or with lanes in ASCII where the encoding has no others."""
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        return text.translate(_ASCII)
    return text


def _time(at_ns: int) -> str:
    return f"{at_ns / 1e6:,.3f} ms"


def _drawn(row: Row, layout: Layout) -> str:
    """The lanes of one row: a line from the sender to the receiver, or a dot."""
    guest = LANES.index(row.lane) - _GUEST_LANES_FROM
    name = f" {row.message} " if layout.names_in_channel else ""
    width = layout.channel_width + 1
    if row.direction == TO_HOST:
        line = f"│◄──{name}".ljust(width, "─")
        return line + _lanes(guest, layout, crossed="┼", reach="─")
    if row.direction:
        line = f"●───{name}".ljust(width, "─")
        return line + _lanes(0, layout, dot="►")
    host = "●" if row.lane == "host" else "│"
    return host.ljust(width) + _lanes(guest, layout)


def _lanes(at: int, layout: Layout, *, dot: str = "●", crossed: str = "│", reach: str = " ") -> str:
    """The guest's lanes with a dot in one of them (none for -1), crossed by a line on its left."""
    cells = []
    for lane in range(len(_GUEST_LANES)):
        mark = dot if lane == at else crossed if lane < at else "│"
        cells.append(mark.ljust(layout.lane_width, reach if lane < at else " "))
    return "".join(cells)


# --- printing ---


def print_lanes(events: Iterable[Stamped], out: TextIO) -> None:
    """Print the picture; in colour, and fitted to the screen's width, on a terminal only."""
    rows = list(rows_of(events))
    if out.isatty():
        _show(rows, out)
        return
    encoding = getattr(out, "encoding", None)
    out.writelines(f"{encodable(line, encoding)}\n" for line in lines_of(rows))


def _show(rows: list[Row], out: TextIO) -> None:
    """The picture on a terminal; what even close lanes leave no room for is cut at its end."""
    from rich.console import Console, OverflowMethod  # a large import that only a terminal needs
    from rich.text import Text

    console = Console(file=out, highlight=False)
    lines = list(lines_of(rows))
    if max(map(len, lines)) > console.width:
        lines = list(lines_of(rows, NARROW))
    styles = ["bold", *(_style(row) for row in rows)]
    overflow: OverflowMethod = "crop" if encodable("│", console.encoding) == "|" else "ellipsis"
    for line, style in zip(lines, styles, strict=True):
        text = Text(encodable(line, console.encoding), style=style)
        console.print(text, no_wrap=True, overflow=overflow, crop=True)


def _style(row: Row) -> str:
    if not row.direction:
        return "dim"
    return "cyan" if row.direction == TO_HOST else "yellow"
