# SPDX-License-Identifier: MIT
"""The host asks for a function that a process of the guest has open: who waits for whom."""

from __future__ import annotations

from typing import Final

from protocol.vpci import MessageType
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.eject import completed
from sim.conformance.guest_cases.reading import premise
from sim.conformance.guest_cases.scenarios import (
    ASSIGNED,
    LONG_NS,
    PATIENT,
    actor,
    administrator,
    after,
    do,
)
from sim.conformance.seen import Seen

M = MessageType
SECOND_NS: Final = 1_000_000_000
OPEN_NS: Final = 4 * SECOND_NS  # for so long a process has the device open
EJECT_NS: Final = SECOND_NS  # so long after it was opened the host asks for it
WAITED_NS: Final = OPEN_NS - EJECT_NS - SECOND_NS  # an eject was under way for longer than that


def waited(seen: Seen) -> None:
    asked = seen.told(M.PCI_EJECT)
    premise(asked, "an eject")
    done = completed(seen)
    if done.at_ns - asked[0].at_ns < WAITED_NS:
        raise Nonconforming("EJECTION_COMPLETE was sent while a process had it open", done.seq)


CASES: Final = (
    GuestCase(
        id="eject-waits-for-last-handle",
        strength="openvmm",
        given="A guest with a process that has the device open",
        when="the host asks for the function, and the process closes it three seconds later",
        then="EJECTION_COMPLETE is sent only after that; Linux takes the device from the process",
        source="OpenVMM vpci_relay and vpci_client: the last handle that is dropped sends it",
        scenario=PATIENT
        + administrator(ASSIGNED, after(EJECT_NS), do("eject"), after(LONG_NS))
        + actor("user", ASSIGNED, do("open-device"), after(OPEN_NS), do("close-device")),
        check=waited,
    ),
)
