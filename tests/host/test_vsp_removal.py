# SPDX-License-Identifier: MIT
"""Eject, the 60 seconds, shrinking lists, surprise and rescind, on profile ``hyperv``."""

import pytest

from host.effects import (
    ArmTimer,
    CancelTimer,
    DeleteInterrupt,
    ReleaseFunction,
    RescindChannel,
    SendPacket,
)
from host.events import BusRelationsSent
from host.vsp import FunctionPhase, Phase
from host.vsp.inputs import (
    EjectRequested,
    RelationsChanged,
    RescindRequested,
    SurpriseRemoved,
    TimerExpired,
)
from host.vsp.removal import EJECT_TIMER, RESCIND_TIMER
from protocol.errors import LocalProtocolError
from protocol.ids import SlotNumber
from protocol.vpci import (
    HvMsiDesc3,
    MessageType,
    PciBusRelations2,
    PciCreateInterrupt3,
    PciEjectResponse,
    PciMessage,
    PciResourcesAssigned2,
)
from tests.host.vsp_bench import BAD_DATA, VspBench, facts

SLOT = SlotNumber(0)
EJECT = EjectRequested(SLOT)
COMPLETE = PciEjectResponse()
MINUTE_NS = 60_000_000_000
CREATE = PciCreateInterrupt3(int_desc=HvMsiDesc3(vector=0x31, vector_count=1, processor_count=1))


def test_the_graceful_path_ends_in_a_list_without_the_device_and_a_rescind() -> None:
    bench = VspBench().assigned()
    bench.feed(EJECT)
    assert bench.sent() == ["PCI_EJECT"]
    assert ArmTimer(EJECT_TIMER, SLOT, MINUTE_NS) in bench.effects
    bench.tell(COMPLETE)
    assert CancelTimer(EJECT_TIMER, SLOT) in bench.effects
    assert bench.event_names() == ["EjectCompleteReceived", "DeviceUnassigned", "BusRelationsSent"]
    packet = bench.only(SendPacket)
    assert PciBusRelations2.parse(packet.payload).device_count == 0
    assert ArmTimer(RESCIND_TIMER, SLOT) in bench.effects
    bench.feed(TimerExpired(RESCIND_TIMER, SLOT))
    assert RescindChannel() in bench.effects
    assert bench.state.phase is Phase.GONE


def test_an_ejected_device_works_on_until_the_guest_is_done() -> None:
    bench = VspBench().assigned()
    bench.feed(EJECT)
    assert bench.status(CREATE) == 0
    assert bench.state.functions[0].phase is FunctionPhase.EJECTING
    bench.tell(COMPLETE)
    assert DeleteInterrupt(SLOT, 0xFEE0_0000, 0) in bench.effects
    assert bench.status(CREATE) == BAD_DATA


def test_after_60_seconds_the_bus_is_rescinded_by_force() -> None:
    bench = VspBench().assigned()
    bench.feed(EJECT)
    bench.feed(TimerExpired(EJECT_TIMER, SLOT))
    assert bench.event_names() == ["EjectOverdue", "DeviceUnassigned"]
    assert bench.effects[-1] == RescindChannel()
    assert bench.state.phase is Phase.GONE


def test_an_overdue_function_can_leave_its_siblings_alone() -> None:
    bench = VspBench(functions=(facts(0), facts(1)), overdue_eject_rescinds=False).assigned()
    bench.feed(EJECT)
    bench.feed(TimerExpired(EJECT_TIMER, SLOT))
    assert bench.sent() == ["PCI_BUS_RELATIONS2"]
    assert [function.facts.wslot for function in bench.state.functions] == [1]
    assert RescindChannel() not in bench.effects


def test_a_timer_that_expires_too_late_changes_nothing() -> None:
    bench = VspBench(functions=(facts(0), facts(1))).assigned()
    bench.feed(EJECT)
    bench.tell(COMPLETE)
    before = bench.state
    assert bench.feed(TimerExpired(EJECT_TIMER, SLOT)) == ()
    assert bench.state == before


def test_a_bus_with_a_function_left_is_not_rescinded() -> None:
    bench = VspBench(functions=(facts(0), facts(0x20))).assigned()
    bench.feed(EJECT)
    bench.tell(COMPLETE)
    assert bench.events()[-1] == BusRelationsSent("nvme0", (0x20,))
    assert not [e for e in bench.effects if isinstance(e, ArmTimer)]


def test_two_functions_are_ejected_at_the_same_time() -> None:
    bench = VspBench(functions=(facts(0), facts(1))).assigned()
    bench.feed(EJECT)
    bench.feed(EjectRequested(SlotNumber(1)))
    bench.tell(PciEjectResponse(wslot=1))
    assert bench.sent() == []  # the other one may be neither listed nor left out
    bench.tell(PciEjectResponse(wslot=0))
    assert bench.events()[-1] == BusRelationsSent("nvme0", ())
    assert bench.state.functions == ()
    assert bench.state.rescind_armed


def test_a_knob_lists_what_is_being_ejected() -> None:
    bench = VspBench(functions=(facts(0), facts(1)), list_while_ejecting=True).assigned()
    bench.feed(EJECT)
    bench.feed(EjectRequested(SlotNumber(1)))
    bench.tell(COMPLETE)
    assert bench.events()[-1] == BusRelationsSent("nvme0", (1,))


def test_no_eject_goes_to_a_guest_without_resources_only_an_empty_list() -> None:
    bench = VspBench().in_d0()
    bench.feed(EJECT)
    assert bench.sent() == ["PCI_BUS_RELATIONS2"]
    assert bench.state.functions == ()
    assert bench.state.rescind_armed


def test_a_guest_that_asked_for_nothing_is_sent_nothing() -> None:
    for bench in (VspBench(), VspBench().open(), VspBench().negotiated()):
        bench.feed(EJECT)
        assert bench.sent() == []
        assert bench.state.rescind_armed


def test_a_knob_ejects_before_resources_are_assigned() -> None:
    bench = VspBench(eject_before_resources_assigned=True).in_d0()
    bench.feed(EJECT)
    assert bench.sent() == ["PCI_EJECT"]
    assert bench.state.functions[0].phase is FunctionPhase.EJECTING_PRESENT
    assert bench.status(PciResourcesAssigned2()) == 0
    bench.tell(COMPLETE)
    assert bench.state.rescind_armed


def test_ejecting_twice_or_what_is_not_there_is_the_administrators_mistake() -> None:
    bench = VspBench().assigned()
    with pytest.raises(LocalProtocolError, match="no function in slot 0x5"):
        bench.feed(EjectRequested(SlotNumber(5)))
    bench.feed(EJECT)
    before = bench.state
    with pytest.raises(LocalProtocolError, match="being ejected already"):
        bench.feed(EJECT)
    assert bench.state == before


def test_an_ejection_nobody_asked_for_is_refused() -> None:
    bench = VspBench().assigned()
    bench.tell(COMPLETE)
    assert bench.event_names() == ["PacketRefused"]
    assert bench.status(PciEjectResponse(wslot=9)) == BAD_DATA
    assert len(bench.state.functions) == 1


def test_eject_complete_is_answered_if_the_guest_asks() -> None:
    bench = VspBench().assigned()
    bench.feed(EJECT)
    assert bench.status(COMPLETE) == 0


def test_a_function_missing_from_the_list_is_taken_away_with_its_interrupts() -> None:
    bench = VspBench(functions=(facts(0), facts(1))).assigned()
    assert bench.status(CREATE) == 0
    bench.feed(RelationsChanged((facts(1),)))
    assert DeleteInterrupt(SLOT, 0xFEE0_0000, 0) in bench.effects
    assert ReleaseFunction(SLOT) in bench.effects
    assert bench.events()[-1] == BusRelationsSent("nvme0", (1,))


def test_a_slot_with_another_serial_is_another_function() -> None:
    bench = VspBench().assigned()
    bench.feed(RelationsChanged((facts(0, ser=8),)))
    assert "DeviceUnassigned" in bench.event_names()
    assert bench.state.functions[0].phase is FunctionPhase.PRESENT


def test_the_same_list_again_takes_nothing_away() -> None:
    bench = VspBench().assigned()
    before = bench.state
    bench.feed(RelationsChanged((facts(0),)))
    assert bench.state == before
    assert bench.sent() == ["PCI_BUS_RELATIONS2"]


def test_an_empty_list_removes_all_and_keeps_the_offer() -> None:
    bench = VspBench().assigned()
    bench.feed(RelationsChanged(()))
    assert bench.state.functions == ()
    assert not bench.state.rescind_armed


def test_functions_that_come_back_call_the_rescind_off() -> None:
    bench = VspBench().assigned()
    bench.feed(EJECT)
    bench.tell(COMPLETE)
    bench.feed(RelationsChanged((facts(0, ser=9),)))
    assert CancelTimer(RESCIND_TIMER, SLOT) in bench.effects
    assert not bench.state.rescind_armed


def test_a_surprise_removal_takes_registers_first_then_tells_then_rescinds() -> None:
    bench = VspBench(functions=(facts(0), facts(1))).assigned()
    bench.feed(SurpriseRemoved())
    kinds = [type(effect) for effect in bench.effects]
    assert kinds.index(ReleaseFunction) < kinds.index(SendPacket) < kinds.index(ArmTimer)
    bench = VspBench(surprise_removal_sends_list=False).assigned()
    bench.feed(SurpriseRemoved())
    assert bench.sent() == []
    assert bench.effects[-1] == RescindChannel()


def test_a_rescind_asks_nobody_and_cancels_what_was_armed() -> None:
    bench = VspBench().assigned()
    bench.feed(EJECT)
    bench.feed(RescindRequested())
    assert CancelTimer(EJECT_TIMER, SLOT) in bench.effects
    assert bench.sent() == []
    assert bench.state.phase is Phase.GONE
    with pytest.raises(LocalProtocolError, match="GONE"):
        bench.feed(RescindRequested())


def test_a_rescind_while_one_is_armed_cancels_it() -> None:
    bench = VspBench().assigned()
    bench.feed(EJECT)
    bench.tell(COMPLETE)
    bench.feed(RescindRequested())
    assert bench.effects[-1] == CancelTimer(RESCIND_TIMER, SLOT)


def test_faulty_hosts_repeat_ejects_omit_early_and_unassign_early() -> None:
    bench = VspBench(repeat_eject=True).assigned()
    bench.feed(EJECT)
    assert bench.sent() == ["PCI_EJECT", "PCI_EJECT"]
    bench = VspBench(list_omits_ejecting=True).assigned()
    bench.feed(EJECT)
    assert bench.sent() == ["PCI_EJECT", "PCI_BUS_RELATIONS2"]
    assert bench.events()[-1] == BusRelationsSent("nvme0", ())
    bench = VspBench(unassign_at_eject=True).assigned()
    bench.feed(EJECT)
    assert ReleaseFunction(SLOT) in bench.effects


def test_the_host_answers_requests_in_flight_after_an_eject() -> None:
    bench = VspBench().assigned()
    bench.feed(EJECT)
    assert bench.status(PciMessage(MessageType.PCI_BUS_D0EXIT)) == 0
    bench.tell(COMPLETE)
    assert bench.state.rescind_armed
