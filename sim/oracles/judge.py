# SPDX-License-Identifier: MIT
"""The fold: shows a trace to laws, event by event, until one is broken. Knows no law by name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

from protocol.link import PacketPublished
from protocol.vmbus import VM_PKT_DATA_INBAND
from sim.oracles.channel_names import RENAMING, ChannelNames
from sim.oracles.law import (
    ANY,
    AWAKE,
    HEAD_BYTES,
    Handler,
    Law,
    LawFactory,
    LawRaised,
    Message,
    OpenItem,
)
from sim.trace import Stamped
from sim.violation import Violation

END: Final = "end of run"

# When, who was running (a context, its label, or None for the host), and what happened.
Happened: TypeAlias = tuple[int, object, Any]
Seers: TypeAlias = tuple[tuple[int, Handler], ...]  # a law by its place in the line, its handler
NOBODY: Final[Seers] = ()
SETS_KEPT: Final = 64  # sets of laws, and of those that are awake; a campaign has few


class Judgement(NamedTuple):
    """The first violation, if there is one, and the open items that showed before it."""

    violation: Violation | None
    known: tuple[str, ...]


def judge(
    happened: Iterable[Happened],
    ended_at_ns: int | None,
    *,
    laws: Sequence[LawFactory],
    may_show: Collection[str] = (),
) -> Judgement:
    """Fold the laws over a trace. ``may_show`` names the open items that are no violation.

    ``ended_at_ns`` None means that something else ended the trace, so that nothing follows from
    what is missing at its end. Raises LawRaised if a law's own code fails.
    """
    made = [make() for make in laws]
    known: dict[str, None] = {}
    findings = _findings(happened, made)
    for law, found, at_ns, context in _with_end(findings, made, ended_at_ns):
        if isinstance(found, OpenItem) and found.item in may_show:
            known[found.item] = None
        else:
            violation = Violation(law.kind, law.name, _told(found), _label(context), at_ns)
            return Judgement(violation, tuple(known))
    return Judgement(None, tuple(known))


def judge_trace(
    events: Sequence[Stamped], *, laws: Sequence[LawFactory], may_show: Collection[str] = ()
) -> Judgement:
    """The same for a trace that was read from a file; it is taken for a whole run."""
    ended_at_ns = events[-1].at_ns if events else 0
    happened = ((stamped.at_ns, stamped.context, stamped.event) for stamped in events)
    return judge(happened, ended_at_ns, laws=laws, may_show=may_show)


Found: TypeAlias = tuple[Law, str | OpenItem, int, object]


def _findings(happened: Iterable[Happened], laws: Sequence[Law]) -> Iterator[Found]:
    types = tuple(map(type, laws))
    awake: frozenset[int] = frozenset()
    find = _seers(types, awake).get
    law: Law | None = None
    names = ChannelNames()
    try:
        for at_ns, context, event in happened:
            if type(event) in RENAMING or names.changed:
                event = names.first(event)
            seers = find(type(event))
            if seers is None:
                if type(event) is not PacketPublished:
                    continue
                head = (
                    event.payload[:HEAD_BYTES] if event.packet_type == VM_PKT_DATA_INBAND else ANY
                )
                # As a plain tuple, which is equal to the Message and much quicker to make.
                seers = find((event.direction, head)) or find((event.direction, ANY), NOBODY)
            for index, handler in seers:
                law = laws[index]
                found = handler(law, event, at_ns, context)
                if found is None:
                    continue
                if found is AWAKE:
                    awake |= {index}
                    find = _seers(types, awake).get
                else:
                    yield law, found, at_ns, context
    except Exception as error:
        raise _raised(law, error) from error


@lru_cache(maxsize=SETS_KEPT)
def _seers(laws: tuple[type[Law], ...], awake: frozenset[int]) -> Mapping[object, Seers]:
    """Who sees what, in the order of the laws; the same in every run of a campaign.

    Packets are found by their message, or else by their direction alone.
    """
    tables = [
        {**law.sees, **law.sees_awake} if index in awake else law.sees
        for index, law in enumerate(laws)
    ]
    keys = {key for table in tables for key in table} - {PacketPublished}
    keys |= {Message("guest-to-host"), Message("host-to-guest")}
    return {
        key: tuple(
            (index, table[one])
            for index, table in enumerate(tables)
            for one in _wider(key)
            if one in table
        )
        for key in keys
    }


def _wider(key: type | Message) -> tuple[type | Message, ...]:
    """The keys under which a law may have asked for it, the widest first."""
    if not isinstance(key, Message):
        return (key,)
    any_message = Message(key.direction)
    return (PacketPublished, any_message, *((key,) if key != any_message else ()))


def _with_end(
    findings: Iterator[Found], laws: Sequence[Law], ended_at_ns: int | None
) -> Iterator[Found]:
    yield from findings
    for law in () if ended_at_ns is None else laws:
        assert ended_at_ns is not None, "there are no laws to ask otherwise"
        try:
            found = law.end(ended_at_ns)
        except Exception as error:
            raise _raised(law, error) from error
        if isinstance(found, (str, OpenItem)):
            yield law, found, ended_at_ns, END


def _raised(law: Law | None, error: Exception) -> LawRaised:
    name = "no law" if law is None else law.name
    return LawRaised(f"the law {name!r} raised {type(error).__name__}: {error}")


def _told(found: str | OpenItem) -> str:
    if isinstance(found, OpenItem):
        return f"{found.message} (open item {found.item})"
    return found


def _label(context: object) -> str:
    if context is None:
        return "host"
    return str(getattr(context, "label", context))
