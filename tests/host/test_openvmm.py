# SPDX-License-Identifier: MIT
"""Profile ``openvmm`` against what its source does; case numbers are of our conformance list."""

import pytest
from msgspec.structs import replace

from host.effects import (
    Complete,
    CreateInterrupts,
    DeleteInterrupt,
    MapConfigWindow,
    ReadResources,
    SendPacket,
    SetBars,
    SetMemoryDecoding,
    UnmapConfigWindow,
)
from host.vsp import Phase
from host.vsp.descriptors import BarFault, bars_of, descriptor_of, resource_of, resources_of
from host.vsp.inputs import ChannelClosed, EjectRequested, RescindRequested, ResourcesRead
from protocol.errors import LocalProtocolError
from protocol.ids import Gpa, SlotNumber
from protocol.openvmm import (
    OvCreateInterrupt2,
    OvDevicePowerChange,
    OvDeviceTranslate,
    OvDeviceTranslateReply,
    OvGetResources,
    OvMsiResourceDescriptor,
    OvMsiResourceDescriptor2,
    OvMsiResourceDescriptor3,
    OvMsiResourceRemapped,
    OvPartialResourceDescriptor,
    OvPartialResourceList,
    OvPdoMessage,
    OvQueryProtocolVersionReply,
    OvVpciTdispCommandHeader,
)
from protocol.versions import vpci_dialect
from protocol.vpci import (
    HvMsiDesc,
    HvMsiDesc2,
    HvMsiDesc3,
    MessageType,
    PciBusD0Entry,
    PciChildMessage,
    PciCreateInterrupt,
    PciCreateInterrupt2,
    PciCreateInterrupt3,
    PciDeleteInterrupt,
    PciEjectResponse,
    PciMessage,
    PciReadBlock,
    PciResourcesAssigned2,
    PciVersionRequest,
    TranIntDesc,
)
from tests.host.vsp_bench import BAD_DATA, NOT_SUPPORTED, REVISION_MISMATCH, WINDOW, VspBench

M = MessageType
SLOT = SlotNumber(0)
VERSIONS = ("1.2", "1.3", "1.4", "1.5", "1.6")
ONE_VP = (1,) + (0,) * 31
RING_PADDED = 80  # what Linux's 78 bytes of CREATE_INTERRUPT2 become in a ring


def openvmm() -> VspBench:
    return VspBench("openvmm")


def ready(version: str = "1.3") -> VspBench:
    return openvmm().negotiated(version)


def memory(address: int, length: int) -> OvPartialResourceDescriptor:
    return descriptor_of((address, length))


NOTHING = OvPartialResourceDescriptor()


def translate(
    *resources: OvPartialResourceDescriptor,
    records: tuple[bytes, ...] = (),
    kind: int = M.PCI_RESOURCES_ASSIGNED2,
    count: int | None = None,
) -> bytes:
    """An ASSIGNED_RESOURCES message with interrupt records behind it."""
    six = resources + (NOTHING,) * (6 - len(resources))
    message = OvDeviceTranslate(
        message_type=kind,
        mmio_resources=six,
        msi_resource_count=len(records) if count is None else count,
    )
    return message.build() + b"".join(records)


def record2(count: int = 1, processors: int = 1) -> bytes:
    return OvMsiResourceDescriptor2(0x31, 0, count, processors, ONE_VP).build().ljust(72, b"\0")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_guest_arrives_at_every_version_it_accepts(version: str) -> None:
    bench = openvmm().in_d0(version)
    assert bench.status(PciResourcesAssigned2()) == 0
    create = PciCreateInterrupt3(int_desc=HvMsiDesc3(0x31, 0, 0, 1, 1, ONE_VP))
    assert bench.status(create) == 0


@pytest.mark.wire_note("4.5a")
def test_1_the_reply_says_1_3_whatever_was_agreed_and_lists_follow_the_version() -> None:
    bench = openvmm().open()
    answer = bench.ask(PciVersionRequest(protocol_version=0x10004))
    assert answer is not None
    assert OvQueryProtocolVersionReply.parse(answer) == OvQueryProtocolVersionReply(0, 0x10003)
    bench.tell(PciMessage(M.PCI_QUERY_BUS_RELATIONS))
    assert bench.sent() == ["PCI_BUS_RELATIONS2"]


def test_2_version_1_2_gets_lists_of_the_first_form() -> None:
    bench = ready("1.2")
    bench.tell(PciMessage(M.PCI_QUERY_BUS_RELATIONS))
    assert bench.sent() == ["PCI_BUS_RELATIONS"]


@pytest.mark.parametrize("refused", [0x10000, 0x10001, 0x20000, 0x10007])
def test_3_and_4_other_versions_are_refused_with_one_to_try_again(refused: int) -> None:
    bench = openvmm().open()
    answer = bench.ask(PciVersionRequest(protocol_version=refused))
    assert answer is not None
    reply = OvQueryProtocolVersionReply.parse(answer)
    assert reply == OvQueryProtocolVersionReply(REVISION_MISMATCH, 0x10003)
    assert bench.status(PciVersionRequest(protocol_version=reply.protocol_version)) == 0


@pytest.mark.parametrize(
    "first", [PciMessage(M.PCI_QUERY_BUS_RELATIONS).build(), b"\x01\x02\x03\x04", b"\x01"]
)
def test_5_and_6_anything_else_first_kills_the_worker_until_a_reopen(first: bytes) -> None:
    bench = openvmm().open()
    assert bench.ask(first) is None
    assert bench.state.phase is Phase.STOPPED
    bench.feed(ChannelClosed())
    bench.negotiated()


def test_7_a_second_version_query_kills_the_worker() -> None:
    bench = ready()
    assert bench.ask(PciVersionRequest(protocol_version=0x10003)) is None
    assert bench.state.phase is Phase.STOPPED


def test_11_a_version_query_without_completion_advances_in_silence() -> None:
    bench = openvmm().open()
    bench.tell(PciVersionRequest(protocol_version=0x10003))
    assert bench.state.phase is Phase.READY


@pytest.mark.wire_note("4.5a", "4.5b")
def test_12_and_16_each_d0_entry_maps_lists_and_then_completes() -> None:
    bench = ready()
    for _ in range(2):
        assert bench.status(PciBusD0Entry(mmio_base=WINDOW)) == 0
        assert MapConfigWindow(Gpa(WINDOW)) in bench.effects
        kinds = [type(e) for e in bench.effects if isinstance(e, (SendPacket, Complete))]
        assert kinds == [SendPacket, Complete]


def test_14_a_completion_for_query_relations_is_empty_and_goes_first() -> None:
    bench = ready()
    assert bench.ask(PciMessage(M.PCI_QUERY_BUS_RELATIONS)) == b""
    kinds = [type(e) for e in bench.effects if isinstance(e, (SendPacket, Complete))]
    assert kinds == [Complete, SendPacket]


@pytest.mark.wire_note("7.4d")
def test_17_d0_exit_unmaps_the_window_and_keeps_interrupts() -> None:
    bench = openvmm().in_d0()
    bench.ask(PciCreateInterrupt2(int_desc=HvMsiDesc2(0x31, 0, 1, 1, ONE_VP)))
    assert bench.status(PciMessage(M.PCI_BUS_D0EXIT)) == 0
    assert UnmapConfigWindow() in bench.effects
    assert len(bench.state.functions[0].interrupts) == 1
    assert bench.status(PciChildMessage(M.PCI_QUERY_RESOURCE_REQUIREMENTS, 0)) == 0


@pytest.mark.wire_note("7.4d")
def test_19_a_close_releases_everything_and_unmaps() -> None:
    bench = openvmm().in_d0()
    bench.ask(PciCreateInterrupt2(int_desc=HvMsiDesc2(0x31, 0, 1, 1, ONE_VP)))
    bench.feed(ChannelClosed())
    assert DeleteInterrupt(SLOT, 0xFEE0_0000, 0) in bench.effects
    assert bench.effects[-1] == UnmapConfigWindow()
    bench.in_d0()


def test_35_resources_are_null_until_assigned_and_have_no_status() -> None:
    bench = ready()
    answer = bench.ask(OvGetResources())
    assert answer == OvPartialResourceList(1, 1, 6).build()
    assert bench.status(translate(memory(0xF000_0000, 0x4000))) == 0
    bench.ask(OvGetResources())
    ticket = bench.only(ReadResources).ticket
    bench.feed(ResourcesRead(SLOT, ticket, (0xF000_0004, 0, 0, 0, 0, 0)))
    listed = OvPartialResourceList.parse(bench.only(Complete).payload)
    assert listed.descriptors[0] == memory(0xF000_0000, 0x4000)
    assert listed.descriptors[1:] == (NOTHING,) * 5


def test_36_linuxs_zeros_write_zeros_and_count_nothing() -> None:
    bench = ready()
    answer = bench.ask(PciResourcesAssigned2())
    assert answer is not None
    reply = OvDeviceTranslateReply.parse(answer)
    assert (reply.status, reply.msi_resource_count, reply.mmio_resources) == (0, 0, (NOTHING,) * 6)
    assert bench.only(SetBars).bars == (0, 0, 0, 0, 0, 0)


def test_37_a_list_without_room_for_a_record_is_accepted() -> None:
    assert ready().status(translate()) == 0


@pytest.mark.parametrize(
    "resources",
    [
        (memory(0xF000_0010, 0x4000),),  # not aligned
        (memory(0xF000_0000, 0x4000), memory(0xE000_0000, 0x1000)),  # on the high half
        (memory(0xF000_0000, 0x8000),),  # too long
        (NOTHING, NOTHING, memory(0xF000_0000, 0x1000)),  # no such register
        (OvPartialResourceDescriptor(7, 0, 0, 0, 1, 0),),  # large, and no flag
    ],
)
def test_38_resources_that_do_not_fit_change_nothing(
    resources: tuple[OvPartialResourceDescriptor, ...],
) -> None:
    bench = ready()
    before = bench.state
    assert bench.status(translate(*resources)) == BAD_DATA
    assert bench.state == before


@pytest.mark.parametrize(
    ("length", "shift"), [((1 << 32) + 1, 8), ((1 << 40) + 1, 16), ((1 << 48) + 1, 32)]
)
def test_39_large_lengths_are_shifted_and_rounded_up(length: int, shift: int) -> None:
    address, echoed = resource_of(memory(0x1_0000_0000, length))
    assert address == 0x1_0000_0000
    assert echoed == ((length >> shift) + 1) << shift


def test_a_type_that_is_no_memory_counts_as_none() -> None:
    assert resource_of(OvPartialResourceDescriptor(1, 0, 0, 0x3F8, 8, 0)) == (0, 0)


def test_registers_and_resources_are_each_others_inverse() -> None:
    probed = (0xFF00_0000, 0xF000_000C, 0xFFFF_FFFF, 0xFFFF_F000, 0, 0)
    resources = (
        (0xC000_0000, 0x100_0000),
        (0x40_1000_0000, 0x1000_0000),
        (0, 0),
        (0xD000_0000, 0x1000),
        (0, 0),
        (0, 0),
    )
    bars = bars_of(resources, probed)
    assert bars == (0xC000_0000, 0x1000_0000, 0x40, 0xD000_0000, 0, 0)
    assert resources_of(bars, probed) == resources


def test_a_64_bit_register_in_the_last_place_is_taken_for_32_bits() -> None:
    assert bars_of(((0, 0),) * 5 + ((0xF000_0000, 0x1000),), (0,) * 5 + (0xFFFF_F004,))[5]
    with pytest.raises(BarFault, match="too long"):
        bars_of(((0, 0),) * 5 + ((0xF000_0000, 0x2000),), (0,) * 5 + (0xFFFF_F004,))


RECORD_FORMS = {
    M.PCI_RESOURCES_ASSIGNED: (
        OvMsiResourceDescriptor(0x31, 0, 1, (0, 0), 2).build().ljust(16, b"\0"),
        16,
    ),
    M.PCI_RESOURCES_ASSIGNED2: (record2(), 72),
    M.PCI_RESOURCES_ASSIGNED3: (
        OvMsiResourceDescriptor3(0x31, 0, 0, 1, 1, ONE_VP).build().ljust(80, b"\0"),
        72,
    ),
}


@pytest.mark.parametrize("kind", RECORD_FORMS)
def test_40_records_of_every_form_are_mapped_and_form_3_is_answered_in_form_2(kind: M) -> None:
    record, reply_bytes = RECORD_FORMS[kind]
    bench = ready()
    answer = bench.ask(translate(records=(record, record), kind=kind))
    assert answer is not None
    assert len(answer) == 136 + 2 * reply_bytes
    second = OvMsiResourceRemapped.parse(answer[136 + reply_bytes :])
    assert second == OvMsiResourceRemapped(0, 1, 0, 0xFEE0_0004)
    assert len(bench.state.functions[0].interrupts) == 2


def test_41_too_many_records_are_refused_before_any_effect() -> None:
    bench = ready()
    before = bench.state
    assert bench.status(translate(count=495)) == BAD_DATA
    assert bench.status(translate(records=(record2(),), count=2)) == BAD_DATA
    assert bench.status(translate(records=(record2(processors=33),))) == BAD_DATA
    assert bench.status(translate(records=(record2(count=33),))) == BAD_DATA
    assert bench.state == before


def test_41_a_495th_live_interrupt_is_refused_and_494_are_kept() -> None:
    bench = ready()
    create = PciCreateInterrupt2(int_desc=HvMsiDesc2(0x31, 0, 1, 1, ONE_VP))
    assert {bench.status(create) for _ in range(494)} == {0}
    assert bench.status(create) == BAD_DATA
    assert len(bench.state.functions[0].interrupts) == 494


def test_42_when_the_third_record_fails_the_first_two_and_the_registers_stay() -> None:
    bench = ready()
    bench.refuse_interrupt = 2
    request = translate(memory(0xF000_0000, 0x4000), records=(record2(),) * 3)
    assert bench.status(request) == BAD_DATA
    assert bench.only(SetBars).bars[0] == 0xF000_0000
    assert len(bench.state.functions[0].interrupts) == 2


def test_43_release_turns_decoding_off_unmaps_and_clears() -> None:
    bench = ready()
    bench.ask(translate(memory(0xF000_0000, 0x4000), records=(record2(),)))
    assert bench.status(PciChildMessage(M.PCI_RESOURCES_RELEASED, 0)) == 0
    assert SetMemoryDecoding(SLOT, False) in bench.effects
    assert bench.only(SetBars).bars == (0, 0, 0, 0, 0, 0)
    assert bench.ask(OvGetResources()) == OvPartialResourceList(1, 1, 6).build()


def test_44_power_is_memory_decoding() -> None:
    bench = ready()
    for power_state, enabled in ((4, False), (1, True)):
        answer = bench.ask(OvDevicePowerChange(slot=0, target_state=power_state))
        assert answer == bytes(4)
        assert SetMemoryDecoding(SLOT, enabled) in bench.effects
    assert bench.status(OvDevicePowerChange(slot=0, target_state=2)) == BAD_DATA


def test_45_and_46_reset_is_not_supported_and_other_slots_are_bad_data() -> None:
    bench = ready("1.5")
    assert bench.status(OvPdoMessage(M.RESET_DEVICE, 0)) == NOT_SUPPORTED
    assert bench.status(OvPdoMessage(M.RESET_DEVICE, 1)) == BAD_DATA
    assert bench.status(OvVpciTdispCommandHeader(slot=0)) == NOT_SUPPORTED
    for request in (
        PciChildMessage(M.PCI_QUERY_RESOURCE_REQUIREMENTS, 1 << 8),
        PciChildMessage(M.PCI_RESOURCES_RELEASED, 1),
        OvGetResources(slot=1),
        OvDevicePowerChange(slot=1, target_state=1),
        OvVpciTdispCommandHeader(slot=1),
        PciDeleteInterrupt(wslot=1),
    ):
        assert bench.status(request) == BAD_DATA


def test_48_limits_of_a_request() -> None:
    bench = ready()
    zero = bench.ask(OvCreateInterrupt2(interrupt=OvMsiResourceDescriptor2(0x31, 0, 0, 1, ONE_VP)))
    assert zero == bytes(24)
    for count, processors, mode in ((33, 1, 0), (1, 33, 0), (1, 0, 0), (1, 1, 2)):
        desc = OvMsiResourceDescriptor2(0x31, mode, count, processors, ONE_VP)
        assert bench.status(OvCreateInterrupt2(interrupt=desc)) == BAD_DATA


def test_49_linuxs_all_ones_mask_is_too_many_processors() -> None:
    bench = ready()
    create = PciCreateInterrupt(int_desc=HvMsiDesc(0x31, 0, 1, 0, (1 << 64) - 1))
    assert bench.status(create) == BAD_DATA
    create = PciCreateInterrupt(int_desc=HvMsiDesc(0x31, 0, 1, 0, 0b110))
    assert bench.status(create) == 0
    assert bench.only(CreateInterrupts).requests[0].targets == (1, 2)


def test_50_an_unknown_interrupt_is_bad_data_if_asked_and_silence_otherwise() -> None:
    bench = ready()
    unknown = PciDeleteInterrupt(int_desc=TranIntDesc(address=0xFEE0_0000))
    assert bench.status(unknown) == BAD_DATA
    bench.tell(unknown)


def test_padding_is_what_lets_linuxs_create_interrupt2_pass() -> None:
    payload = PciCreateInterrupt2(int_desc=HvMsiDesc2(0x31, 0, 1, 1, ONE_VP)).build()
    assert len(payload) == 78
    assert ready().status(payload) == 0  # the bench pads as a ring does
    assert OvCreateInterrupt2.SIZE == RING_PADDED


def test_68_and_74_what_it_has_no_parser_for_is_bad_data_and_it_lives_on() -> None:
    bench = ready()
    for request in (
        PciEjectResponse(),
        PciReadBlock(bytes_requested=4),
        PciMessage(M.PCI_QUERY_STOP),
        PciMessage(M.PCI_EJECT),
        PciMessage(0x4249_00FF),
    ):
        assert bench.status(request) == BAD_DATA
    assert bench.status(PciChildMessage(M.PCI_QUERY_RESOURCE_REQUIREMENTS, 0)) == 0
    bench.tell(PciEjectResponse())


def test_it_never_ejects_and_can_only_take_the_channel_back() -> None:
    bench = openvmm().assigned("1.4")
    with pytest.raises(LocalProtocolError, match="EjectRequested"):
        bench.feed(EjectRequested(SLOT))
    bench.feed(RescindRequested())
    assert bench.state.phase is Phase.GONE
    assert bench.sent() == []


@pytest.mark.wire_note("2.3d")
def test_dialects_1_5_and_1_6_are_bare() -> None:
    for name, version in (("1.5", 0x10005), ("1.6", 0x10006)):
        assert vpci_dialect(name) == replace(vpci_dialect("1.4"), name=name, version=version)
