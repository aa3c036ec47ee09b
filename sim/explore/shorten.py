# SPDX-License-Identifier: MIT
"""From a failing run to the fewest named delays and faults that fail alike, and a twin that passes.

The run's departures from natural order are the start. Delta debugging leaves those that are needed
together; each end of a hold gets the most telling name; then fewer delays are tried, down to none.
Knows no world and no scenario.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, permutations
from typing import Final

from msgspec.structs import replace

from sim.explore.ddmin import minimised
from sim.explore.delays import Delay, FaultAt
from sim.explore.named import NATURAL, Named, named, waits_of
from sim.explore.profile import Moment
from sim.explore.telling import retellings
from sim.explore.trials import ProfiledRun, Trials, profiled, simpler
from sim.explore.until import IDLE

SINGLES_MAX: Final = 300  # delays tried alone; a campaign has tried them all before it came to this

Item = Delay | FaultAt


def shortest(trials: Trials, run: ProfiledRun) -> Named | None:
    """The shortest named schedule found that fails as ``run`` did; None if no named one does."""
    if trials.fails(NATURAL):
        return NATURAL
    start = named(run.profile, run.choices)
    if not trials.fails(start):
        run = simpler(trials, run)
        start = named(run.profile, run.choices)
    if not trials.fails(start):
        return _single(trials, (delay.context for delay in start.delays), start.faults)
    found = retold(trials, _minimised(trials, start))
    if len(found.delays) > 1:
        contexts = (delay.context for delay in found.delays)
        found = _single(trials, contexts, found.faults) or _merged(trials, found)
    return retold(trials, _minimised(trials, found))


def passing_twin(trials: Trials, failing: Named) -> Named | None:
    """A schedule that passes and differs from the failing one in one delay or fault, or None.

    One less where that passes; else one more, which is all that is left if natural order fails.
    """
    items = _items(failing)
    less = (_named(items[:at] + items[at + 1 :]) for at in reversed(range(len(items))))
    found = next(filter(trials.passes, less), None)
    if found is not None:
        return found
    stops = reversed(list(_stops(_moments(trials, failing))))  # what decides comes late
    more = (replace(failing, delays=(*failing.delays, delay)) for delay in stops)
    return next(filter(trials.passes, more), None)


def retold(trials: Trials, schedule: Named) -> Named:
    """With the most telling delays that fail alike, and do as they say, in order of their begin."""
    for at in range(len(schedule.delays)):
        moments = _moments(trials, schedule)
        candidates = retellings(schedule.delays, at, moments, trials.culprit)
        told = (_with(schedule, at, candidate) for candidate in candidates)
        found = (
            new for new in told if trials.fails(new) and trials.keeps_word(new, new.delays[at])
        )
        schedule = next(found, None) or _plain(trials, schedule, at)
    begins = {wait.stop: wait.begun for wait in waits_of(_moments(trials, schedule))}
    in_order = sorted(schedule.delays, key=lambda delay: begins.get(delay.stop, 0))
    return replace(schedule, delays=tuple(in_order))


def _minimised(trials: Trials, schedule: Named) -> Named:
    """Without the delays and faults that it does not need."""
    return _named(minimised(_items(schedule), lambda items: trials.fails(_named(items))))


def _items(schedule: Named) -> tuple[Item, ...]:
    return (*schedule.delays, *schedule.faults)


def _named(items: Iterable[Item]) -> Named:
    listed = tuple(items)
    return Named(
        tuple(item for item in listed if isinstance(item, Delay)),
        tuple(item for item in listed if isinstance(item, FaultAt)),
    )


# --- naming what is left ---


def _plain(trials: Trials, schedule: Named, at: int) -> Named:
    """With a delay that lasts until nothing else can go on, if that fails alike."""
    idle = _with(schedule, at, replace(schedule.delays[at], until=IDLE))
    return idle if trials.fails(idle) else schedule


def _with(schedule: Named, at: int, delay: Delay) -> Named:
    delays = schedule.delays
    return replace(schedule, delays=(*delays[:at], delay, *delays[at + 1 :]))


def _moments(trials: Trials, schedule: Named) -> tuple[Moment, ...]:
    return profiled(trials.play, schedule.chooser()).profile.moments


# --- fewer delays ---


def _single(trials: Trials, contexts: Iterable[str], faults: tuple[FaultAt, ...]) -> Named | None:
    """One delay of one of these contexts that fails alike."""
    involved = set(contexts)
    stops = _stops(_moments(trials, Named((), faults)))
    singles = islice((delay for delay in stops if delay.context in involved), SINGLES_MAX)
    return next(filter(trials.fails, (Named((delay,), faults) for delay in singles)), None)


def _stops(moments: Sequence[Moment]) -> Iterator[Delay]:
    """Each stop at which a context could be held, as long as possible."""
    return (Delay(*wait.stop) for wait in waits_of(moments))


def _merged(trials: Trials, schedule: Named) -> Named:
    """With one delay in place of two, as often as that goes: held longer, it may do for both."""
    while (merged := next(filter(trials.fails, _mergers(trials, schedule)), None)) is not None:
        schedule = merged
    return schedule


def _mergers(trials: Trials, schedule: Named) -> Iterator[Named]:
    moments = _moments(trials, schedule)
    delays = schedule.delays
    for kept, gone in permutations(range(len(delays)), 2):
        rest = tuple(delay for at, delay in enumerate(delays) if at not in (kept, gone))
        for longer in retellings(delays, kept, moments, trials.culprit):
            yield replace(schedule, delays=(*rest, longer))
