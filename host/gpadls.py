# SPDX-License-Identifier: MIT
"""The guest's memory lists (GPADLs) as a VMBus server keeps them: collect, check, hand out pages.

One header message and as many bodies as it takes. Knows no channel's state and answers nobody.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from protocol.channel_states import GPADL_TRANSITIONS, GpadlInput, GpadlState
from protocol.errors import RemoteProtocolError
from protocol.hypercall import HV_HYP_PAGE_SIZE
from protocol.ids import Gpa, GpadlId, RelId
from protocol.transitions import advance

# range_buflen is a u16, so one list has at most 8,191 words; this bounds how many lists one guest
# may leave with the host: each of 2,047 channels needs one for its ring, drivers some buffers.
MAX_GPADLS: Final = 1 << 14


class GpadlRange(NamedTuple):
    """One contiguous range of guest-virtual memory, page by page."""

    byte_count: int
    byte_offset: int  # into the first page
    pages: tuple[Gpa, ...]


class Gpadl:
    """One list. ``words`` are the 8-byte words of its ranges as received so far."""

    __slots__ = ("ranges", "relid", "state", "wanted_ranges", "words", "words_expected")

    def __init__(self, relid: RelId, words_expected: int, wanted_ranges: int) -> None:
        self.relid = relid
        self.words_expected = words_expected
        self.wanted_ranges = wanted_ranges
        self.words: list[int] = []
        self.ranges: tuple[GpadlRange, ...] = ()
        self.state = GpadlState.ABSENT

    def step(self, happened: GpadlInput) -> None:
        """:raises RemoteProtocolError: not in this state."""
        self.state = advance(GPADL_TRANSITIONS, self.state, happened, RemoteProtocolError)


def split_ranges(words: Sequence[int], wanted: int) -> tuple[GpadlRange, ...]:
    """The ranges of a complete list (``struct gpa_range``, packed one behind the other).

    :raises RemoteProtocolError: the words do not hold exactly ``wanted`` non-empty ranges.
    """
    ranges = []
    at = 0
    for _ in range(wanted):
        head = words[at] if at < len(words) else 0
        byte_count, byte_offset = head & 0xFFFFFFFF, head >> 32
        pages = -(-(byte_offset + byte_count) // HV_HYP_PAGE_SIZE)
        pfns = words[at + 1 : at + 1 + pages]
        if not byte_count or byte_offset >= HV_HYP_PAGE_SIZE or len(pfns) < pages:
            raise RemoteProtocolError(f"GPADL range of {byte_count} bytes in {len(pfns)} pages")
        ranges.append(
            GpadlRange(byte_count, byte_offset, tuple(Gpa(pfn * HV_HYP_PAGE_SIZE) for pfn in pfns))
        )
        at += 1 + pages
    if at != len(words) or not ranges:
        raise RemoteProtocolError(f"GPADL of {len(words)} words, of which {at} make sense")
    return tuple(ranges)


class GpadlTable:
    """All lists of one connection, by handle: the guest keeps handles unique over all channels."""

    __slots__ = ("_lists",)

    def __init__(self) -> None:
        self._lists: dict[GpadlId, Gpadl] = {}

    def __len__(self) -> int:
        return len(self._lists)

    def get(self, handle: GpadlId, relid: RelId) -> Gpadl | None:
        """The list of that handle if it belongs to that channel."""
        gpadl = self._lists.get(handle)
        return gpadl if gpadl is not None and gpadl.relid == relid else None

    def begin(
        self,
        handle: GpadlId,
        relid: RelId,
        *,
        range_bytes: int,
        wanted_ranges: int,
        words: Sequence[int],
    ) -> bool:
        """A header came; whether the list is complete with it.

        ``range_bytes``: of all ranges, bodies included; ``words``: those in this message.
        :raises RemoteProtocolError: the handle is taken, too many lists, or nonsense inside;
            nothing is kept then.
        """
        if range_bytes % 8:
            raise RemoteProtocolError(f"GPADL ranges of {range_bytes} bytes are no whole words")
        if handle in self._lists:
            raise RemoteProtocolError(f"GPADL {handle:#x} exists already")
        if len(self._lists) >= MAX_GPADLS:
            raise RemoteProtocolError(f"more than {MAX_GPADLS} GPADLs")
        gpadl = self._lists[handle] = Gpadl(relid, range_bytes // 8, wanted_ranges)
        return self._append(
            handle, gpadl, words, GpadlInput.HEADER_WITH_MORE, GpadlInput.HEADER_WITH_ALL
        )

    def incomplete(self, handle: GpadlId) -> RelId:
        """The channel whose list still wants bodies; the guest names only the list in them.

        :raises RemoteProtocolError: there is none.
        """
        gpadl = self._lists.get(handle)
        if gpadl is None or gpadl.state is not GpadlState.IN_PROGRESS:
            raise RemoteProtocolError(f"GPADL_BODY for GPADL {handle:#x}, which wants none")
        return gpadl.relid

    def extend(self, handle: GpadlId, words: Sequence[int]) -> bool:
        """A body came for an incomplete list; whether it is complete now.

        :raises RemoteProtocolError: nonsense inside; the list is dropped.
        """
        return self._append(
            handle,
            self._lists[handle],
            words,
            GpadlInput.BODY_WITH_MORE,
            GpadlInput.BODY_WITH_LAST,
        )

    def step(self, handle: GpadlId, happened: GpadlInput) -> None:
        """A channel opens over the list or closes. :raises RemoteProtocolError: not now."""
        self._lists[handle].step(happened)

    def remove(self, handle: GpadlId, relid: RelId) -> None:
        """The guest tears the list down.

        :raises RemoteProtocolError: not that channel's, incomplete, or an open ring lives in it.
        """
        gpadl = self.get(handle, relid)
        if gpadl is None:
            raise RemoteProtocolError(f"channel {relid} has no GPADL {handle:#x}")
        gpadl.step(GpadlInput.TEARDOWN)
        del self._lists[handle]

    def forget(self, handles: Sequence[GpadlId]) -> None:
        """Drop lists whose channel has gone; handles torn down before are no matter."""
        for handle in handles:
            self._lists.pop(handle, None)

    def clear(self) -> None:
        self._lists.clear()

    def _append(
        self,
        handle: GpadlId,
        gpadl: Gpadl,
        words: Sequence[int],
        with_more: GpadlInput,
        with_last: GpadlInput,
    ) -> bool:
        have = len(gpadl.words) + len(words)
        complete = have >= gpadl.words_expected
        gpadl.step(with_last if complete else with_more)
        gpadl.words += words
        if not complete:
            return False
        try:
            if have > gpadl.words_expected:
                raise RemoteProtocolError(f"{have} words where {gpadl.words_expected} were said")
            gpadl.ranges = split_ranges(gpadl.words, gpadl.wanted_ranges)
        except RemoteProtocolError:
            del self._lists[handle]
            raise
        gpadl.words = []  # the pages are kept as ranges only
        return True
