# SPDX-License-Identifier: MIT
"""The fold: shows a trace to laws, event by event, until one is broken. Knows no law by name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

from protocol.link import PacketPublished
from protocol.vmbus import VM_PKT_DATA_INBAND
from sim.oracles.law import HEAD_BYTES, Handler, Law, LawFactory, LawRaised, OpenItem
from sim.trace import Stamped
from sim.violation import Violation

END: Final = "end of run"

# When, who was running (a context, its label, or None for the host), and what happened.
Happened: TypeAlias = tuple[int, object, Any]
Seers: TypeAlias = tuple[tuple[int, Handler], ...]  # a law by its place in the line, its handler
NOBODY: Final[Seers] = ()
SETS_KEPT: Final = 16  # sets of laws; a campaign has one


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
    find = _seers(tuple(map(type, laws))).get
    law: Law | None = None
    try:
        for at_ns, context, event in happened:
            kind = type(event)
            for index, handler in find(kind, NOBODY):
                law = laws[index]
                found = handler(law, event, at_ns, context)
                if found is not None:
                    yield law, found, at_ns, context
            if kind is PacketPublished and event.packet_type == VM_PKT_DATA_INBAND:
                for index, handler in find((event.direction, event.payload[:HEAD_BYTES]), NOBODY):
                    law = laws[index]
                    found = handler(law, event, at_ns, context)
                    if found is not None:
                        yield law, found, at_ns, context
    except Exception as error:
        raise _raised(law, error) from error


@lru_cache(maxsize=SETS_KEPT)
def _seers(laws: tuple[type[Law], ...]) -> Mapping[object, Seers]:
    """Who sees what, in the order of the laws; the same in every run of a campaign."""
    seers: dict[object, Seers] = {}
    for index, law in enumerate(laws):
        for seen, handler in law.sees.items():
            seers[seen] = (*seers.get(seen, NOBODY), (index, handler))
    return seers


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
        if found is not None:
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
