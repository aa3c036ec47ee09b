# SPDX-License-Identifier: MIT
"""Where the reference guest's wire is known to differ from the real driver's, and why.

A rule is asked where two traces part. It says how many things of either side it accounts for; what
it accounts for is skipped and counted by its name. The list is short on purpose: whatever Linux
does otherwise and a driver developer could see is a mistake of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from protocol.hypercall import HVCALL_MMIO_READ, HVCALL_MMIO_WRITE
from protocol.link import (
    BarWritten,
    ConfigRead,
    HypercallMade,
    UnclaimedAccess,
)
from sim.wire import Crossing

SIDE_BY_SIDE: Final = "side-by-side"
OTHER_ORDER: Final = "other-order"
MSIX_ENTRY_BYTES: Final = 16
MSIX_VECTOR_CTRL: Final = 12
MSIX_MASKED: Final = 1
MSIX_BOTH: Final = 0xC000  # enabled, and all vectors masked
MMIO_CALLS: Final = frozenset({HVCALL_MMIO_READ, HVCALL_MMIO_WRITE})
# Where the fields of struct hv_mmio_read_input and hv_mmio_write_input begin, in bytes.
MMIO_SIZE_AT: Final = 8
MMIO_RESERVED_AT: Final = 12
MMIO_DATA_AT: Final = 16

Side = Sequence[Crossing]
Skip = tuple[int, int]  # of the model's and of the driver's crossings
NOTHING: Final[Skip] = (0, 0)


class Rule(NamedTuple):
    """A named difference: ``what`` differs, ``why``, and where Linux does it.

    ``skip`` gets both sides from where they part: the model's, the real driver's. ``scenario`` is
    one in which the rule is needed.
    """

    name: str
    what: str
    why: str
    source: str
    scenario: str
    skip: Callable[[Side, Side], Skip]


class Order(NamedTuple):
    """A name for a difference of order; ``scenario`` is one in which it shows."""

    name: str
    why: str
    scenario: str


def _masked_entry(crossing: Crossing) -> int | None:
    """Offset of the entry in its BAR, if this masks one of an MSI-X table."""
    event = crossing.event
    if not isinstance(event, BarWritten) or (event.size, event.value) != (4, MSIX_MASKED):
        return None
    entry, register = divmod(event.offset, MSIX_ENTRY_BYTES)
    return entry * MSIX_ENTRY_BYTES if register == MSIX_VECTOR_CTRL else None


def _masks(side: Side) -> int:
    """How many writes from here on mask one entry after the other, before MSI-X is let loose.

    None if what follows them is not the control register, with both of its bits still set: a mask
    by itself is no part of msix_mask_all().
    """
    at = next((at for at, one in enumerate(side) if _masked_entry(one) is None), len(side))
    rest = (one.event for one in side[at:])
    after = next((event for event in rest if not isinstance(event, HypercallMade)), None)
    enabling = isinstance(after, ConfigRead) and after.value & MSIX_BOTH == MSIX_BOTH
    return at if enabling else 0


def _every_entry(model: Side, driver: Side) -> Skip:
    """The driver's masks up to one that the model has written, too."""
    shared = model[0].event if model else None
    masks = _masks(driver)
    return 0, next((at for at in range(masks) if driver[at].event == shared), masks)


def _as_read(event: object) -> tuple[int, int, bytes] | None:
    """Of a call that reaches MMIO, what the hypervisor reads: code, result, and its input.

    That is the address, the size and, for a write, so many bytes of data.
    """
    if not isinstance(event, HypercallMade) or event.code not in MMIO_CALLS:
        return None
    size = int.from_bytes(event.input[MMIO_SIZE_AT:MMIO_RESERVED_AT], "little")
    written = event.input[MMIO_DATA_AT : MMIO_DATA_AT + size]
    return event.code, event.result, event.input[:MMIO_RESERVED_AT] + written


def _stale_input(model: Side, driver: Side) -> Skip:
    """One call on each side that says the same where the hypervisor looks."""
    if not model or not driver:
        return NOTHING
    ours, theirs = _as_read(model[0].event), _as_read(driver[0].event)
    return (1, 1) if ours is not None and ours == theirs else NOTHING


def _stopped(model: Side, driver: Side) -> Skip:
    """The model's run is over, and the driver of a confidential VM goes on with a dead device."""
    events = [one.event for one in driver]
    calls = (event.code in MMIO_CALLS for event in events if isinstance(event, HypercallMade))
    dead = not model and isinstance(events[0], UnclaimedAccess) and next(calls, False)
    return (0, len(driver)) if dead else NOTHING


RULES: Final = (
    Rule(
        "msix-mask-all",
        "the driver's side writes the mask of every entry of an MSI-X table when MSI-X is enabled",
        "a table comes out of reset masked, and has up to 2,048 entries: the model writes none but "
        "those it has set up and found unmasked, and all of them after a crash",
        "msix_mask_all(), drivers/pci/msi/msi.c",
        "arrival",
        _every_entry,
    ),
    Rule(
        "stale-input",
        "of an MMIO hypercall the reserved word, and what lies behind the data",
        "the driver fills in no more than the hypervisor reads, so that the processor's page still "
        "holds what its last call left there; the model makes each call's input afresh",
        "hv_pci_read_mmio() and hv_pci_write_mmio(), drivers/pci/controller/pci-hyperv.c",
        "cvm-arrival",
        _stale_input,
    ),
    Rule(
        "undefined-value",
        "the model's run ends where the driver goes on to touch a device that is gone",
        "an MMIO hypercall that fails leaves the caller's variable as it was: the model ends the "
        "run where that is used, compiled code uses whatever stood on its stack",
        "hv_pci_read_mmio(), drivers/pci/controller/pci-hyperv.c",
        "cvm-rescind",
        _stopped,
    ),
)

# Differences of order alone: what they are called, why they are none of the guests, and where.
ORDERS: Final = (
    Order(
        SIDE_BY_SIDE,
        "buses take turns otherwise, each by itself is equal: their contexts run side by side",
        "reload",
    ),
    Order(
        OTHER_ORDER,
        "what happens at one moment comes in another order, since the guests do not reach a point "
        "in as many steps; with one choice made otherwise the model's wire is the driver's",
        "eject-during-unload",
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
