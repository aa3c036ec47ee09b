# SPDX-License-Identifier: MIT
"""One number for a run's event stream: who did what, in order, and not when.

The same stream gives the same number in every process (Python's own hashes of texts do not), and
two streams have one number with a chance of 1 in 2**64. All events are encoded at once when
somebody asks, which costs less than a hash for each as it comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec

from guest.kernel.context import Context
from sim.event_names import TAG_OF_EVENT

BYTES: Final = 8
_TAGS: Final = dict(TAG_OF_EVENT)
_ENCODE: Final = msgspec.msgpack.Encoder().encode


def fingerprint(happened: Sequence[tuple[int, Context | None, Any]]) -> int:
    """The number of a stream of (when, who was running, event)."""
    events = [event for _, _, event in happened]
    names = [context.name if context is not None else "host" for _, context, _ in happened]
    kinds = [_TAGS[kind] for kind in map(type, events)]
    return int.from_bytes(sha256(_ENCODE((names, kinds, events))).digest()[:BYTES], "little")
