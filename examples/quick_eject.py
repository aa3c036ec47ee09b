# SPDX-License-Identifier: MIT
"""A law of one's own: whoever is asked for a function gives it up within a millisecond."""

from typing import ClassVar

from guest.events import EjectCompleted, EjectQueued


class QuickEject:
    name = "a function is given up within a millisecond"
    kind = "warning"

    def __init__(self):
        self.since = {}

    def queued(self, event, at_ns, _context):
        self.since[event.relid, event.wslot] = at_ns

    def completed(self, event, at_ns, _context):
        took_ns = at_ns - self.since[event.relid, event.wslot]
        return f"it took {took_ns / 1e6:g} ms" if took_ns > 1_000_000 else None

    def end(self, _at_ns):
        return None

    sees: ClassVar = {EjectQueued: queued, EjectCompleted: completed}


LAWS = (QuickEject,)
