# SPDX-License-Identifier: MIT
"""Where the reference guest's wire is known to differ from the real driver's, and why.

A rule is asked where two traces part. It says how many things of either side it accounts for; what
it accounts for is skipped and counted by its name. The list is short on purpose: whatever Linux
does otherwise and a driver developer could see is a mistake of the model. In which scenarios a
difference shows is ``sim/real_driver.py``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from protocol.hypercall import HVCALL_MMIO_READ, HVCALL_MMIO_WRITE
from protocol.link import HypercallMade, UnclaimedAccess
from sim.wire import Crossing

UNDEFINED_VALUE: Final = "undefined-value"
SIDE_BY_SIDE: Final = "side-by-side"
OTHER_ORDER: Final = "other-order"
MMIO_CALLS: Final = frozenset({HVCALL_MMIO_READ, HVCALL_MMIO_WRITE})

Side = Sequence[Crossing]
Skip = tuple[int, int]  # of the model's and of the driver's crossings
NOTHING: Final[Skip] = (0, 0)


class Rule(NamedTuple):
    """A named difference: ``what`` differs, ``why``, and where Linux does it.

    ``skip`` gets both sides from where they part: the model's, the real driver's.
    """

    name: str
    what: str
    why: str
    source: str
    skip: Callable[[Side, Side], Skip]


class Order(NamedTuple):
    """A name for a difference of order."""

    name: str
    why: str


def _stopped(model: Side, driver: Side) -> Skip:
    """The model's run is over, and the driver of a confidential VM goes on with a dead device."""
    events = [one.event for one in driver]
    calls = (event.code in MMIO_CALLS for event in events if isinstance(event, HypercallMade))
    dead = not model and isinstance(events[0], UnclaimedAccess) and next(calls, False)
    return (0, len(driver)) if dead else NOTHING


RULES: Final = (
    Rule(
        UNDEFINED_VALUE,
        "the model's run ends where the driver goes on to touch a device that is gone",
        "an MMIO hypercall that fails leaves the caller's variable as it was: the model ends the "
        "run where that is used, compiled code uses whatever stood on its stack",
        "hv_pci_read_mmio(), drivers/pci/controller/pci-hyperv.c",
        _stopped,
    ),
)

# Differences of order alone: what they are called, and why they are none of the guests.
ORDERS: Final = (
    Order(
        SIDE_BY_SIDE,
        "buses take turns otherwise, each by itself is equal: their contexts run side by side",
    ),
    Order(
        OTHER_ORDER,
        "what happens at one moment comes in another order, since the guests do not reach a point "
        "in as many steps; with one choice made otherwise the model's wire is the driver's",
    ),
)


def mirrored(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """The same rules with the driver's side first."""
    return tuple(rule._replace(skip=_turned(rule.skip)) for rule in rules)


def _turned(skip: Callable[[Side, Side], Skip]) -> Callable[[Side, Side], Skip]:
    def turned(driver: Side, model: Side) -> Skip:
        ours, theirs = skip(model, driver)
        return theirs, ours

    return turned
