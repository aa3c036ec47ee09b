# SPDX-License-Identifier: MIT
"""What the picture of a run shows: which events get a row, in which lane, with which words.

Made of what the trace holds, for either guest. Knows no scenario and no screen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from host.events import HostEvent
from protocol.hypercall import HVCALL_POST_MESSAGE, HVCALL_SIGNAL_EVENT
from protocol.link import HypercallMade
from sim.event_names import TAG_OF_EVENT
from sim.messages import COMPLETION, Message, MessageReader
from sim.trace import Stamped, fields_of

LANES: Final = ("host", "channel", "softirq", "work", "thread")
TO_HOST: Final = "guest-to-host"

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
_FOLDED: Final[Mapping[str, tuple[str, str]]] = {
    "link.config-read": ("configuration read", "configuration reads"),
    "link.config-written": ("configuration write", "configuration writes"),
    "link.bar-read": ("BAR read", "BAR reads"),
    "link.bar-written": ("BAR write", "BAR writes"),
    "link.hypercall-made": ("hypercall", "hypercalls"),
    "link.unclaimed-access": ("unanswered access", "unanswered accesses"),
    "link.interrupt-delivered": ("interrupt delivered", "interrupts delivered"),
    "pci.interrupt-handled": ("interrupt handled", "interrupts handled"),
}
# Hypercalls that only carry the messages which have rows of their own.
_CARRIERS: Final = frozenset({HVCALL_POST_MESSAGE, HVCALL_SIGNAL_EVENT})
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
        "host.interrupt-raised",
        "host.interrupt-deleted",
        "host.interrupt-retargeted",
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


def rows_of(events: Iterable[Stamped], reader: MessageReader | None = None) -> Iterator[Row]:
    """The rows of a picture, in the order of the events.

    ``reader`` has read those that came before, for a picture that grows.
    """
    reader = reader or MessageReader()
    fold = _Fold()
    for stamped in events:
        tag = TAG_OF_EVENT[type(stamped.event)]
        message = reader.read(stamped)
        if tag in _SILENT or _carries(stamped.event):
            continue
        if tag in _FOLDED:
            fold.add(stamped, tag)
            continue
        yield from fold.end()
        if message is not None:
            yield _message_row(stamped, message)
        else:
            # An administrator's doing is the host's, whoever the actor is.
            lane = "host" if isinstance(stamped.event, HostEvent) else lane_of(stamped.context)
            yield Row(stamped.seq, stamped.at_ns, lane, "", "", _note(stamped, tag, reader))
    yield from fold.end()


def _carries(event: msgspec.Struct) -> bool:
    return isinstance(event, HypercallMade) and event.code in _CARRIERS


class _Fold:
    """Counts events that share a row."""

    def __init__(self) -> None:
        self._first: Stamped | None = None
        self._counts: Counter[str] = Counter()

    def add(self, stamped: Stamped, tag: str) -> None:
        self._first = self._first or stamped
        self._counts[tag] += 1

    def end(self) -> Iterator[Row]:
        if self._first is not None:
            counts = self._counts.items()
            text = ", ".join(f"{count} {_FOLDED[tag][count > 1]}" for tag, count in counts)
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
    """The name of a guest's context, without the queue it is on; the host needs none."""
    return context.partition(":")[2].partition("/")[0]


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
    shown = SHOWN.get(tag, tuple(fields))
    words += [f"{name}={_value(name, fields[name])}" for name in shown]
    return " ".join(words)


# Of events with many fields, those that tell the story; the trace has them all.
SHOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "guest.child-added": ("wslot",),
    "guest.child-removed": ("wslot", "why"),
    "guest.child-freed": ("wslot",),
    "guest.bridge-window-allocated": ("window", "start"),
    "guest.msi-composed": ("irq", "vector"),
    "guest.msi-retargeted": ("irq", "cpus", "status"),
    "guest.relations-queued": ("count",),
    "host.bars-mapped": ("wslot", "bars"),
    "host.bars-unmapped": ("wslot", "bars"),
    "pci.pci-dev-added": ("address",),
    "pci.interrupt-requested": ("irq",),
    "pci.interrupt-freed": ("irq",),
}
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
