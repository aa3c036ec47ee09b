# SPDX-License-Identifier: MIT
"""The signatures of all open items that have one, in the order of the items' numbers."""

from collections.abc import Sequence
from typing import Final

from sim.oracles.known import Signature
from sim.oracles.signatures_arm64 import BlockOfDummies, CutSpi, KeptDisabled, RestOfRegion
from sim.oracles.signatures_bus import (
    LateFunction,
    NothingReleased,
    OverdueInProbe,
    TakenTooEarly,
    WindowLeftBehind,
    ZombieOfAList,
)
from sim.oracles.signatures_failure import (
    EmptyMessage,
    InvalidatedWhileLeaving,
    MessageWithoutMemory,
    PolledPastTheGate,
    RingLeftBehind,
    SentOnce,
    SilentHost,
    SilentServer,
)
from sim.oracles.signatures_hostile import (
    CommandNotRead,
    ForgedMapping,
    IndexBeyondTheRing,
    NumberLeftBehind,
    PastTheIndex,
    StrangeSlot,
    VendorIdNotRead,
    WideLastBar,
)
from sim.oracles.signatures_power import DroppedOffers, FailedHibernation, RemovedInItsSleep
from sim.oracles.signatures_removal import (
    FailedProbe,
    ListThenEject,
    OvertakenEject,
    RepeatedEject,
    RescindedChildren,
    SlotOfRevived,
)

SIGNATURES: Final[Sequence[type[Signature]]] = (
    OvertakenEject,
    ListThenEject,
    RepeatedEject,
    SlotOfRevived,
    PolledPastTheGate,
    FailedProbe,
    FailedHibernation,
    RescindedChildren,
    SilentHost,
    SilentServer,
    InvalidatedWhileLeaving,
    VendorIdNotRead,
    WideLastBar,
    SentOnce,
    MessageWithoutMemory,
    ZombieOfAList,
    EmptyMessage,
    OverdueInProbe,
    TakenTooEarly,
    LateFunction,
    NothingReleased,
    CommandNotRead,
    BlockOfDummies,
    CutSpi,
    RestOfRegion,
    KeptDisabled,
    WindowLeftBehind,
    StrangeSlot,
    IndexBeyondTheRing,
    ForgedMapping,
    RemovedInItsSleep,
    DroppedOffers,
    RingLeftBehind,
    PastTheIndex,
    NumberLeftBehind,
)
