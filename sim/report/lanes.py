# SPDX-License-Identifier: MIT
"""The message sequence as a picture: one lane each for host, channel and the guest's contexts.

Colours and the width of the screen matter on a terminal only; elsewhere the text is the same bytes
every time. What has a row is decided in ``sim/report/lane_rows.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TextIO

from sim.report.lane_rows import LANES, TO_HOST, Row, rows_of
from sim.trace import Stamped

_TIME_WIDTH: Final = 14
_CHANNEL_WIDTH: Final = 46
_LANE_WIDTH: Final = 8
_GUEST_LANES_FROM: Final = 2  # in LANES


def lines_of(rows: Iterable[Row]) -> Iterator[str]:
    """The picture as plain text, a heading first."""
    heading = f"{'time':>{_TIME_WIDTH - 2}}  {'host':<5}{'channel':^{_CHANNEL_WIDTH - 4}}"
    lanes = (f"{lane:<{_LANE_WIDTH}}" for lane in LANES[_GUEST_LANES_FROM:])
    yield (heading + "".join(lanes)).rstrip()
    for row in rows:
        yield f"{_time(row.at_ns):>{_TIME_WIDTH - 2}}  {_drawn(row)}{row.note}".rstrip()


def _time(at_ns: int) -> str:
    return f"{at_ns / 1e6:,.3f} ms"


def _drawn(row: Row) -> str:
    """The lanes of one row: a line from the sender to the receiver, or a dot."""
    guest = LANES.index(row.lane) - _GUEST_LANES_FROM
    if row.direction == TO_HOST:
        line = f"│◄── {row.message} ".ljust(_CHANNEL_WIDTH + 1, "─")
        return line + _lanes(guest, crossed="┼", reach="─")
    if row.direction:
        line = f"●─── {row.message} ".ljust(_CHANNEL_WIDTH + 1, "─")
        return line + _lanes(0, dot="►")
    host = "●" if row.lane == "host" else "│"
    return host + " " * _CHANNEL_WIDTH + _lanes(guest)


def _lanes(at: int, *, dot: str = "●", crossed: str = "│", reach: str = " ") -> str:
    """The guest's lanes with a dot in one of them (none for -1), crossed by a line on its left."""
    cells = []
    for lane in range(len(LANES) - _GUEST_LANES_FROM):
        mark = dot if lane == at else crossed if lane < at else "│"
        cells.append(mark.ljust(_LANE_WIDTH, reach if lane < at else " "))
    return "".join(cells)


# --- printing ---


def print_lanes(events: Iterable[Stamped], out: TextIO) -> None:
    """Print the picture; in colour, and cut to the screen's width, on a terminal only."""
    rows = list(rows_of(events))
    lines = lines_of(rows)
    if not out.isatty():
        out.writelines(f"{line}\n" for line in lines)
        return
    from rich.console import Console  # a large import that only a terminal needs
    from rich.text import Text

    console = Console(file=out, highlight=False)
    styles = ["bold", *(_style(row) for row in rows)]
    for line, style in zip(lines, styles, strict=True):
        console.print(Text(line, style=style), no_wrap=True, overflow="ellipsis", crop=True)


def _style(row: Row) -> str:
    if not row.direction:
        return "dim"
    return "cyan" if row.direction == TO_HOST else "yellow"
