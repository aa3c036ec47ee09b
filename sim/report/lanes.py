# SPDX-License-Identifier: MIT
"""The message sequence as a picture: one lane each for host, channel and the guest's contexts.

Made of what the trace holds, for either guest. Colours and the width of the screen matter on a
terminal only; elsewhere the text is the same bytes every time. Knows no scenario.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple, TextIO

from host.events import HostEvent
from sim.event_names import TAG_OF_EVENT
from sim.messages import COMPLETION, Message, MessageReader
from sim.trace import Stamped, fields_of

LANES: Final = ("host", "channel", "softirq", "work", "thread")
TO_HOST: Final = "guest-to-host"
_TIME_WIDTH: Final = 14
_CHANNEL_WIDTH: Final = 46
_LANE_WIDTH: Final = 8
_GUEST_LANES_FROM: Final = 2  # in LANES

# Which lane a context runs in; a hardware interrupt belongs to the softirq it raises.
_LANE_OF_KIND: Final[Mapping[str, str]] = {
    "host": "host",
    "actor": "thread",
    "hardirq": "softirq",
    "softirq": "softirq",
    "work": "work",
    "thread": "thread",
}

# Events too many to have a row each: counted in one row until something else happens.
_FOLDED: Final[Mapping[str, str]] = {
    "link.config-read": "configuration reads",
    "link.config-written": "configuration writes",
    "link.bar-read": "BAR reads",
    "link.bar-written": "BAR writes",
    "link.hypercall-made": "hypercalls",
    "link.unclaimed-access": "accesses that nobody answered",
    "link.interrupt-delivered": "interrupts delivered",
    "pci.interrupt-handled": "interrupts handled",
    "pci.command-completed": "commands completed",
}
# Told by what stands around them.
_SILENT: Final = frozenset(
    {
        "link.channel-event",
        "guest.request-completed",
        "pci.vector-allocated",
        "pci.vector-freed",
        "pci.slot-created",
        "pci.slot-destroyed",
        "pci.bar-assigned",
        "host.interrupt-created",
        "host.interrupt-deleted",
        "guest.msi-freed",
    }
)


class Row(NamedTuple):
    """One row: a message (``direction`` set) or a note beside the lanes."""

    seq: int
    at_ns: int
    lane: str
    direction: str
    message: str
    note: str


def lane_of(context: str) -> str:
    """The lane of a stamped context; what is unknown counts as a thread."""
    kind = context.partition(":")[0].partition("/")[0]
    return _LANE_OF_KIND.get(kind, "thread")


def rows_of(events: Iterable[Stamped]) -> Iterator[Row]:
    """The rows of a picture, in the order of the events."""
    reader = MessageReader()
    fold = _Fold()
    for stamped in events:
        tag = TAG_OF_EVENT[type(stamped.event)]
        message = reader.read(stamped)
        if tag in _FOLDED:
            fold.add(stamped, _FOLDED[tag])
            continue
        if tag in _SILENT:
            continue
        yield from fold.end()
        if message is not None:
            yield _message_row(stamped, message)
        else:
            note = _note(stamped, tag, reader)
            yield Row(stamped.seq, stamped.at_ns, lane_of(stamped.context), "", "", note)
    yield from fold.end()


class _Fold:
    """Counts events that share a row."""

    def __init__(self) -> None:
        self._first: Stamped | None = None
        self._counts: Counter[str] = Counter()

    def add(self, stamped: Stamped, what: str) -> None:
        self._first = self._first or stamped
        self._counts[what] += 1

    def end(self) -> Iterator[Row]:
        if self._first is not None:
            text = ", ".join(f"{count} {what}" for what, count in self._counts.items())
            first = self._first
            yield Row(first.seq, first.at_ns, lane_of(first.context), "", "", text)
        self._first = None
        self._counts.clear()


def _message_row(stamped: Stamped, message: Message) -> Row:
    name = f"({message.answers or message.name})" if message.name == COMPLETION else message.name
    asked = f" #{message.transaction_id}" if message.transaction_id else ""
    where = f" {message.channel}" if message.channel is not None else ""
    return Row(
        seq=message.seq,
        at_ns=message.at_ns,
        lane=lane_of(stamped.context),
        direction=message.direction,
        message=f"{name} {message.size}{asked}",
        note=(_who(stamped.context) + where).strip(),
    )


def _who(context: str) -> str:
    """The name of a guest's context; the host needs none."""
    return context.partition(":")[2]


def _note(stamped: Stamped, tag: str, reader: MessageReader) -> str:
    """``bus-relations-sent nvme0 wslots=0``: the event's name, its bus, its other fields."""
    event = stamped.event
    fields = fields_of(event)
    words = [tag.partition(".")[2]]
    if isinstance(event, HostEvent):
        words.append(str(fields.pop("bus")))
        fields.pop("relid", None)
    elif "relid" in fields:
        words.append(reader.bus_of(fields.pop("relid")))
    words += [f"{name}={_value(name, value)}" for name, value in fields.items()]
    return " ".join(words)


_HEX_FIELDS: Final = frozenset(
    {"window_gpa", "config_window", "address", "data", "vector", "start", "vendor", "device"}
    | {"status", "serial", "block_mask", "version"}
)


def _value(name: str, value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and name in _HEX_FIELDS:
        return f"{value:#x}"
    if isinstance(value, (tuple, list)):
        return ",".join(str(item) for item in value) or "none"
    return str(value)


# --- drawing ---


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
