# SPDX-License-Identifier: MIT
"""The message sequence as it comes: the picture of ``sim/report/lanes.py``, growing.

Knows no peer. Plain text: the layout is chosen once, for the screen that there is then.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Final, TextIO

from sim.messages import MessageReader
from sim.report.lane_rows import rows_of
from sim.report.lanes import NARROW, WIDE, encodable, lines_of
from sim.trace import Stamped

WIDE_COLUMNS: Final = 120


class LiveLanes:
    """One picture on one stream."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._reader = MessageReader()
        self._shown = 0
        narrow = out.isatty() and shutil.get_terminal_size().columns < WIDE_COLUMNS
        self._layout = NARROW if narrow else WIDE

    def show(self, trace: Sequence[Stamped]) -> None:
        """Draw what the trace has more than last time."""
        fresh = trace[self._shown :]
        lines = list(lines_of(rows_of(fresh, self._reader), self._layout))
        for line in lines[1:] if self._shown else lines:
            print(encodable(line, self._out.encoding), file=self._out)
        self._shown += len(fresh)
        self._out.flush()
