# SPDX-License-Identifier: MIT
"""The closing statement of a campaign: what was seen, and how little that proves.

Knows counts and no schedule. It never says that there is nothing to find.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec

from sim.explore.strategy import Exhausted

# -ln 0.05, rounded up. If N independent trials fail with probabilities p1…pN and none has failed,
# their mean is below 3/N with 95 % confidence: the chance of that is at most exp(-sum). The trials
# need not be alike (Hanley and Lippman-Hand, "If nothing goes wrong, is everything all right?",
# JAMA 249(13), 1983, for those that are).
RULE_OF_THREE: Final = 3.0


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """What a campaign can say of itself.

    ``drawn`` schedules were drawn by lot; the others had their turn, one after another, and say
    nothing of any that was not played. ``seen_once`` are the traces that only one schedule had.
    ``failed`` schedules ended in a violation, ``lost`` ones never ended: their worker was killed
    twice.
    """

    schedules: int
    drawn: int
    distinct_traces: int
    seen_once: int
    failed: int
    lost: int
    determinism_checks: int
    exhausted: tuple[Exhausted, ...]

    @property
    def unseen(self) -> float | None:
        """About how likely one more schedule is a trace not seen yet; None if nothing was drawn.

        Good's estimate, the share of what was seen once ("The population frequencies of species
        and the estimation of population parameters", Biometrika 40, 1953, section 2).
        """
        return self.seen_once / self.schedules if self.drawn else None

    @property
    def bound95(self) -> float | None:
        """Below this share of schedules like these fail, with 95 % confidence; None if one did,
        or none was drawn."""
        if self.failed or not self.drawn:
            return None
        return min(1.0, RULE_OF_THREE / self.schedules)

    @property
    def complete(self) -> bool:
        """Whether no order is left."""
        return any(each.complete for each in self.exhausted)


def closing(
    traces: Counter[int],
    *,
    drawn: int,
    failed: int,
    lost: int,
    determinism_checks: int,
    exhausted: tuple[Exhausted, ...],
) -> Closing:
    """The statement for so many schedules by the fingerprints of their traces."""
    return Closing(
        schedules=traces.total(),
        drawn=drawn,
        distinct_traces=len(traces),
        seen_once=sum(count == 1 for count in traces.values()),
        failed=failed,
        lost=lost,
        determinism_checks=determinism_checks,
        exhausted=exhausted,
    )


def statement(what: Closing) -> Iterator[str]:
    """The statement in lines for people."""
    if not what.schedules:
        yield "nothing was played, and so nothing is known"
        return
    yield (
        f"played   {many(what.schedules, 'schedule')}, {many(what.distinct_traces, 'trace')}"
        f" different from each other, {what.failed:,} failed"
    )
    for each in what.exhausted:
        if each.schedules > 1:  # that natural order was played is no news
            yield f"all of   the {each.schedules:,} schedules with {each.bound}"
    if what.unseen is not None:
        yield (
            f"unseen   one more schedule is a new trace with probability {what.unseen:.2g}"
            f" ({many(what.seen_once, 'trace')} seen once)"
        )
    if not what.failed:
        yield f"bound    {_bound(what)}"
    yield f"checked  {many(what.determinism_checks, 'schedule')} played twice, with equal traces"
    if what.lost:
        yield f"lost     {many(what.lost, 'schedule')}: the process was killed, twice"


def _bound(what: Closing) -> str:
    """What schedules that all passed say of others."""
    if what.complete:
        return "none: no order of this scenario is left; of other scenarios nothing is known"
    if what.bound95 is None:
        return "none: these orders were tried in turn and not drawn by lot; others may fail"
    if what.distinct_traces == 1:
        return "none: whatever was chosen, the same happened; so much one run says, too"
    bound = f"{what.bound95:.0%}" if what.bound95 >= 0.1 else f"{100 * what.bound95:.2g}%"
    return f"below {bound} of schedules like these fail, with 95 % confidence; others may"


def many(count: int, what: str) -> str:
    """``1 schedule``, ``2,000 schedules``."""
    return f"{count:,} {what}" + "s" * (count != 1)
