# SPDX-License-Identifier: MIT
"""The laws that every run is judged by; one file each."""

from collections.abc import Sequence
from typing import Final

from sim.oracles.law import LawFactory
from sim.oracles.laws.children_agree import ChildrenAgree
from sim.oracles.laws.dead_functions import DeadFunctions
from sim.oracles.laws.ejects_answered import EjectsAnswered
from sim.oracles.laws.functions_appear import FunctionsAppear
from sim.oracles.laws.interrupts_arrive import InterruptsArrive
from sim.oracles.laws.interrupts_of_assigned import InterruptsOfAssigned
from sim.oracles.laws.lawful_power import LawfulPower
from sim.oracles.laws.leaves_d0 import LeavesD0
from sim.oracles.laws.messages_from_host import MessagesFromHost
from sim.oracles.laws.no_intx import NoIntx
from sim.oracles.laws.no_zombies import NoZombies
from sim.oracles.laws.one_driver import OneDriver
from sim.oracles.laws.open_interrupts_mapped import OpenInterruptsMapped
from sim.oracles.laws.processors_exist import ProcessorsExist
from sim.oracles.laws.quiet_when_installed import QuietWhenInstalled
from sim.oracles.laws.relids_released import RelidsReleased
from sim.oracles.laws.request_ids import RequestIds
from sim.oracles.laws.retargets_aim_right import RetargetsAimRight
from sim.oracles.laws.retries_d0 import RetriesD0
from sim.oracles.laws.silence_after_rescind import SilenceAfterRescind
from sim.oracles.laws.slots_returned import SlotsReturned
from sim.oracles.laws.spis_go_right import SpisGoRight
from sim.oracles.laws.unique_domains import UniqueDomains
from sim.oracles.laws.window_off_framebuffer import WindowOffFramebuffer
from sim.oracles.laws.work_before_teardown import WorkBeforeTeardown

# In this order an event is shown to them.
LAWS: Final[Sequence[LawFactory]] = (
    ChildrenAgree,
    DeadFunctions,
    EjectsAnswered,
    FunctionsAppear,
    InterruptsArrive,
    InterruptsOfAssigned,
    LawfulPower,
    LeavesD0,
    MessagesFromHost,
    NoIntx,
    NoZombies,
    OneDriver,
    OpenInterruptsMapped,
    ProcessorsExist,
    QuietWhenInstalled,
    RelidsReleased,
    RequestIds,
    RetargetsAimRight,
    RetriesD0,
    SilenceAfterRescind,
    SlotsReturned,
    SpisGoRight,
    UniqueDomains,
    WindowOffFramebuffer,
    WorkBeforeTeardown,
)

# Those that rest on what crosses the border alone, for guests that tell nothing else of themselves.
WIRE_LAWS: Final[Sequence[LawFactory]] = (
    DeadFunctions,
    LawfulPower,
    ProcessorsExist,
    RelidsReleased,
    RequestIds,
    SilenceAfterRescind,
)
