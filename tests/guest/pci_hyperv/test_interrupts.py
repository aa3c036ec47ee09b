# SPDX-License-Identifier: MIT
"""Interrupts: a mapping asked for, a CPU chosen, all of it given back."""

from __future__ import annotations

from itertools import pairwise

import pytest

from guest.events import MsiComposed, MsiFreed, MsiNotComposed, MsiRetargeted
from guest.kernel.irq import IRQ_HANDLED, IrqData
from guest.kernel.irq_chip import NULL_MSI_MSG, MsiMsg
from guest.kernel.irq_manage import free_irq, request_irq, set_affinity
from guest.kernel.ops import NS_PER_MS
from guest.pci_core.enable import pci_enable_device
from guest.pci_core.msi import (
    PCI_IRQ_MSIX,
    pci_alloc_irq_vectors,
    pci_free_irq_vectors,
    pci_irq_vector,
)
from guest.pci_core.types import MsiDesc, PciDev
from guest.pci_hyperv.arch_x86 import vp_mask_target, vp_set_target
from guest.pci_hyperv.interrupt_requests import (
    InterruptRequest,
    hv_compose_msi_req_v1,
    hv_compose_msi_req_v2,
    hv_compose_msi_req_v3,
)
from guest.pci_hyperv.mapping_request import U32
from protocol.hypercall import (
    HVCALL_RETARGET_INTERRUPT,
    HvRetargetDeviceInterrupt,
    HypercallResult,
    call_code,
)
from protocol.ids import SlotNumber, VpIndex
from protocol.status import STATUS_UNSUCCESSFUL
from protocol.vmbus import VM_PKT_COMP
from protocol.vpci import (
    MessageType,
    PciCreateInterrupt3,
    PciCreateIntResponse,
    PciDeleteInterrupt,
    TranIntDesc,
)
from tests.guest.pci_hyperv.story import ALL_VERSIONS, Story

CREATE = {
    0x10001: MessageType.PCI_CREATE_INTERRUPT_MESSAGE,
    0x10002: MessageType.PCI_CREATE_INTERRUPT_MESSAGE2,
    0x10003: MessageType.PCI_CREATE_INTERRUPT_MESSAGE2,
    0x10004: MessageType.PCI_CREATE_INTERRUPT_MESSAGE3,
}


async def on_interrupt(_irq: int, _dev: object) -> int:
    return IRQ_HANDLED


class TwoVectors:
    """A function driver that wants two vectors and nothing else."""

    name = "two-vectors"
    flags = PCI_IRQ_MSIX
    wanted = 2

    def __init__(self, story: Story) -> None:
        self.story = story
        self.irqs: list[int] = []
        self.granted = 0

    def match(self, _dev: PciDev) -> bool:
        return True

    async def probe(self, dev: PciDev) -> int:
        core = self.story.pci.irqs
        await pci_enable_device(dev)
        self.granted = await pci_alloc_irq_vectors(core, dev, 1, self.wanted, self.flags)
        self.irqs = [pci_irq_vector(dev, nr) for nr in range(max(self.granted, 0))]
        for irq in self.irqs:
            assert await request_irq(core, irq, on_interrupt, self.name, dev) == 0
        return 0

    async def remove(self, dev: PciDev) -> None:
        core = self.story.pci.irqs
        for irq in self.irqs:
            await free_irq(core, irq, dev)
        await pci_free_irq_vectors(core, dev)

    async def suspend(self, _dev: PciDev) -> int:
        return 0

    async def resume(self, _dev: PciDev) -> int:
        return 0


def with_vectors(version: int = 0x10004, cpus: int = 2) -> tuple[Story, TwoVectors]:
    story = Story(version=version, cpus=cpus)
    driver = TwoVectors(story)
    story.pci.register_driver(driver)
    story.arrive()
    return story, driver


REQUEST = InterruptRequest(SlotNumber(0x21), VpIndex(3), 0x131, 1, 0)


@pytest.mark.wire_note("2.4a", "2.3a")
def test_the_first_form_asks_for_all_processors_and_one_byte_of_vector() -> None:
    assert hv_compose_msi_req_v1(REQUEST) == bytes.fromhex(
        "14004942 21000000 31 00 0100 00000000 ffffffffffffffff"
    )


@pytest.mark.wire_note("2.4a", "2.3a")
def test_the_second_form_lists_one_processor() -> None:
    expected = bytes.fromhex("17004942 21000000 31 00 0100 0100 0300") + bytes(62)
    assert hv_compose_msi_req_v2(REQUEST) == expected


@pytest.mark.wire_note("2.3c", "2.4a")
def test_the_third_form_has_a_vector_of_32_bits() -> None:
    expected = bytes.fromhex("1b004942 21000000 31010000 00 00 0100 0100 0300") + bytes(62)
    assert hv_compose_msi_req_v3(REQUEST) == expected


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_each_version_creates_interrupts_in_its_own_form(version: int) -> None:
    story, driver = with_vectors(version)
    assert driver.granted == 2
    created = [name for name in story.host.names if name.startswith("CREATE_INTERRUPT")]
    assert set(created) == {CREATE[version].name.removeprefix("PCI_")}
    assert len(created) == len(story.of(MsiComposed))
    assert story.of(MsiNotComposed) == []


def test_an_interrupt_that_is_requested_is_composed_again_with_its_real_vector() -> None:
    story, driver = with_vectors()
    composed = [event for event in story.of(MsiComposed) if event.irq == driver.irqs[0]]
    assert len(composed) == 2
    assert composed[0].vector != composed[1].vector
    freed = story.of(MsiFreed)[0]
    assert (freed.address, freed.data) == (composed[0].address, composed[0].data)


@pytest.mark.wire_note("2.0i", "7.7a")
def test_unmasking_aims_the_interrupt_by_the_versions_form() -> None:
    story, driver = with_vectors(0x10004)
    control, data = story.host.retargets[-1]
    retarget = HvRetargetDeviceInterrupt.parse(data)
    assert control == 0x7E | 2 << 17
    assert retarget.device_id == 0x0405_0600
    event = story.of(MsiRetargeted)[-1]
    assert event.status == 0
    assert retarget.int_target.set_words == (1, 1 << event.cpus[0])
    data_word = retarget.int_entry.msi_entry.data
    assert data_word == story.of(MsiComposed)[-1].data
    assert event.irq == driver.irqs[-1]


@pytest.mark.wire_note("2.0i", "7.7b")
def test_the_first_version_retargets_by_mask() -> None:
    story, _ = with_vectors(0x10001)
    control, data = story.host.retargets[-1]
    retarget = HvRetargetDeviceInterrupt.parse(data)
    assert control == 0x7E
    assert retarget.int_target.vp_mask == 1 << story.of(MsiRetargeted)[-1].cpus[0]


@pytest.mark.wire_note("7.7c")
def test_a_vp_set_has_every_bank_up_to_the_last_one_used() -> None:
    target = vp_set_target(0x41, (3, 130))
    assert target.set_words == (0b111, 1 << 3, 0, 1 << 2)
    assert vp_set_target(0x41, ()).set_words == (1, 0)


def test_a_mask_wraps_above_64_processors() -> None:
    assert vp_mask_target(0x41, (1, 65)).vp_mask == 0b10


@pytest.mark.wire_note("4.6a")
def test_removing_the_device_deletes_each_mapping_once() -> None:
    story, _ = with_vectors()
    story.host.eject()
    story.run()
    names = story.host.names
    created = sum(name.startswith("CREATE_INTERRUPT") for name in names)
    assert names.count("DELETE_INTERRUPT_MESSAGE") == created
    assert names[-1] == "EJECTION_COMPLETE"
    assert story.leaks() == {}


def test_a_refused_mapping_gives_a_message_of_zeroes() -> None:
    story = Story(cpus=2)
    driver = TwoVectors(story)
    story.pci.register_driver(driver)
    kind = MessageType.PCI_CREATE_INTERRUPT_MESSAGE3
    story.host.statuses[kind] = [STATUS_UNSUCCESSFUL] * 10
    story.arrive()
    assert {event.reason for event in story.of(MsiNotComposed)} == {"status 0xc0000001"}
    assert story.of(MsiRetargeted) == []  # nothing to aim, but unmasked all the same (O17)
    assert "can not unmask" in "".join(text for _, _, text in story.kernel.log_lines)
    story.host.eject()
    story.run()
    assert story.leaks() == {}


@pytest.mark.wire_note("8.3b")
def test_a_device_that_goes_while_an_interrupt_is_composed_frees_the_request() -> None:
    story = Story(cpus=2)
    driver = TwoVectors(story)
    story.pci.register_driver(driver)

    def vanish(_: bytes) -> None:
        story.host.gone = True

    story.host.answers[MessageType.PCI_CREATE_INTERRUPT_MESSAGE3] = vanish
    story.arrive()
    assert {event.reason for event in story.of(MsiNotComposed)} == {"the device has gone"}
    requestor = story.hdev.channel.requestor
    assert requestor is not None
    assert requestor.in_use == 0


def compose_one(story: Story) -> MsiMsg:
    """The message of a single interrupt that is asked for now."""
    messages: list[MsiMsg] = []

    async def compose() -> None:
        messages.append(await story.driver.hv_compose_msi_msg(data))

    _, (data,) = msi_block(story, 1)
    story.thread(compose())
    return messages[0]


@pytest.mark.wire_note("2.4b")
@pytest.mark.parametrize("is_msix", [True, False])
@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_a_single_interrupt_is_asked_for_with_the_vector_that_it_holds(
    version: int, is_msix: bool
) -> None:
    story = Story(version=version, cpus=2).arrive()
    desc, (data,) = msi_block(story, 1)
    desc.is_msix = is_msix
    data.vector = 0x5A

    async def compose() -> None:
        await story.driver.hv_compose_msi_msg(data)

    story.thread(compose())
    request = story.host.dialect.create_interrupt.parse(story.host.received[-1])
    assert (request.int_desc.vector, request.int_desc.vector_count) == (0x5A, 1)


@pytest.mark.wire_note("3.7b")
def test_whoever_asks_for_a_mapping_that_is_refused_is_given_zeroes() -> None:
    story = Story(cpus=2).arrive()
    story.host.statuses[MessageType.PCI_CREATE_INTERRUPT_MESSAGE3] = [STATUS_UNSUCCESSFUL]
    assert compose_one(story) == NULL_MSI_MSG == (0, 0, 0)
    assert compose_one(story) != NULL_MSI_MSG


@pytest.mark.wire_note("3.7a")
@pytest.mark.parametrize(("payload_bytes", "taken"), [(16, False), (24, True)])
def test_an_answer_to_create_of_less_than_40_bytes_is_a_failure(
    payload_bytes: int, taken: bool
) -> None:
    story = Story(cpus=2).arrive()
    whole = PciCreateIntResponse(status=0, int_desc=TranIntDesc(vector_count=1, address=0x1000))
    kind = MessageType.PCI_CREATE_INTERRUPT_MESSAGE3
    story.host.answers[kind] = lambda _: whole.build()[:payload_bytes]
    assert (compose_one(story) != NULL_MSI_MSG) is taken
    assert [event.reason for event in story.of(MsiNotComposed)] == (
        [] if taken else ["status 0xffffffff"]
    )


@pytest.mark.wire_note("8.3a")
def test_an_answer_is_polled_for_every_100_us_for_as_long_as_it_takes() -> None:
    story = Story(cpus=2).arrive()
    looks_ns: list[int] = []
    answer = PciCreateIntResponse(status=0, int_desc=TranIntDesc(vector_count=1)).build()
    story.host.silent.add(MessageType.PCI_CREATE_INTERRUPT_MESSAGE3)
    mmio_read = story.host.mmio_read

    def look(gpa: int, size: int) -> int:
        looks_ns.append(story.engine.now_ns())
        if len(looks_ns) == 1:
            story.engine.later((150 * NS_PER_MS,) * 2, "answer", late_answer)
        return mmio_read(gpa, size)

    def late_answer() -> None:
        story.host.send(answer, trans_id=1, kind=VM_PKT_COMP)

    story.host.mmio_read = look  # type: ignore[method-assign]  # the fake's own method, watched
    compose_one(story)
    assert {later - look for look, later in pairwise(looks_ns)} == {100_000}
    assert len(looks_ns) == 1_501
    assert story.of(MsiNotComposed) == []


@pytest.mark.wire_note("8.3c")
def test_whoever_composes_gives_up_when_the_channel_has_been_closed() -> None:
    story = Story(cpus=2).arrive()
    story.host.silent.add(MessageType.PCI_CREATE_INTERRUPT_MESSAGE3)

    def close() -> None:
        story.hdev.channel.onchannel_callback = None

    story.engine.later((NS_PER_MS, NS_PER_MS), "close", close)
    assert compose_one(story) == NULL_MSI_MSG
    requestor = story.hdev.channel.requestor
    assert requestor is not None
    assert requestor.in_use == 0


def test_moving_an_interrupt_composes_it_anew_and_retargets_it() -> None:
    story, driver = with_vectors()
    before = len(story.of(MsiComposed))

    async def move() -> None:
        assert await set_affinity(story.pci.irqs, driver.irqs[0], 0b10) >= 0

    story.thread(move())
    assert len(story.of(MsiComposed)) >= before


@pytest.mark.wire_note("7.7d")
def test_of_a_hypercalls_result_only_the_low_16_bits_are_its_status() -> None:
    story = Story(cpus=2)
    hypercall = story.host.hypercall

    def with_repetitions(vp: VpIndex, control_word: int, data: bytes) -> HypercallResult:
        result = hypercall(vp, control_word, data)
        return HypercallResult(result.register | 1 << 32, result.output)

    story.host.hypercall = with_repetitions  # type: ignore[method-assign]  # the fake's own method
    story.pci.register_driver(TwoVectors(story))
    story.arrive()
    assert {event.status for event in story.of(MsiRetargeted)} == {0}


@pytest.mark.wire_note("7.7e")
@pytest.mark.parametrize(("version", "flags"), [(0x10001, 0), (0x10002, 2), (0x10004, 2)])
def test_a_retarget_says_whether_it_names_a_set_and_nothing_more(version: int, flags: int) -> None:
    story, _ = with_vectors(version, cpus=4)
    targets = [HvRetargetDeviceInterrupt.parse(data).int_target for _, data in story.host.retargets]
    assert targets
    assert {target.flags for target in targets} == {flags}


@pytest.mark.wire_note("9.3a")
def test_a_retarget_is_made_with_interrupts_off_and_holds_no_spinlock_of_the_bus() -> None:
    story = Story(cpus=2)
    hypercall = story.host.hypercall
    owners: list[object] = []

    def spy(vp: VpIndex, control_word: int, data: bytes) -> HypercallResult:
        if call_code(control_word) == HVCALL_RETARGET_INTERRUPT:
            assert story.kernel.current.irqs_off > 0
            owners.extend((story.hbus.config_lock.owner, story.hbus.device_list_lock.owner))
        return hypercall(vp, control_word, data)

    story.host.hypercall = spy  # type: ignore[method-assign]  # the fake's own method, watched
    story.pci.register_driver(TwoVectors(story))
    story.arrive()
    assert set(owners) == {None}


def msi_block(story: Story, vectors: int) -> tuple[MsiDesc, list[IrqData]]:
    """The descriptor of a multi-MSI block and its interrupts, as the PCI core makes them."""
    desc = MsiDesc(story.devices[0], 0, vectors, False)
    desc.irq = 40
    datas = []
    for index in range(vectors):
        data = IrqData(story.kernel, desc.irq + index, index, story.driver.msi_chip)
        data.msi_desc = desc
        data.vector = 0x50 + index
        data.effective_affinity = 1
        datas.append(data)
    return desc, datas


@pytest.mark.wire_note("2.4c", "2.4d")
def test_multi_msi_asks_once_for_a_block_and_derives_the_rest() -> None:
    story = Story(cpus=4).arrive()
    desc, datas = msi_block(story, 4)

    async def compose_all_twice() -> None:
        for data in [*datas, *datas]:
            msg = await story.driver.hv_compose_msi_msg(data)
            if data is datas[0]:
                desc.msg = msg
            messages.append(msg.data)

    messages: list[int] = []
    story.thread(compose_all_twice())
    created = [
        payload
        for name, payload in zip(story.host.names, story.host.received, strict=True)
        if name.startswith("CREATE_INTERRUPT")
    ]
    assert len(created) == 1
    request = PciCreateInterrupt3.parse(created[0])
    assert (request.int_desc.vector, request.int_desc.vector_count) == (32, 4)
    assert messages[:4] == [messages[0] + index for index in range(4)]
    assert messages[4:] == messages[:4]


def test_the_messages_of_a_forged_block_go_round_at_32_bits() -> None:
    story = Story(cpus=4).arrive()
    desc, datas = msi_block(story, 2)
    desc.msg = MsiMsg(0xFEE0_1000, 0, U32)

    async def compose() -> None:
        messages.append((await story.driver.hv_compose_msi_msg(datas[1])).data)

    messages: list[int] = []
    story.thread(compose())
    assert messages == [0]


def test_of_a_multi_msi_block_only_the_first_vectors_mapping_is_deleted() -> None:
    story = Story(cpus=4).arrive()
    desc, datas = msi_block(story, 2)

    async def compose_and_free() -> None:
        desc.msg = await story.driver.hv_compose_msi_msg(datas[0])
        await story.driver.hv_compose_msi_msg(datas[1])
        for data in datas:
            await story.driver.hv_msi_free(data)
            await story.driver.hv_msi_free(data)  # nothing is left to free

    story.thread(compose_and_free())
    deleted = [
        payload
        for name, payload in zip(story.host.names, story.host.received, strict=True)
        if name == "DELETE_INTERRUPT_MESSAGE"
    ]
    assert [PciDeleteInterrupt.parse(payload).int_desc.vector_count for payload in deleted] == [2]
    assert story.leaks() == {}


def test_an_interrupt_of_a_function_that_has_gone_is_freed_silently() -> None:
    story = Story(cpus=2).arrive()
    _, (data,) = msi_block(story, 1)

    async def compose_then_lose_the_function() -> None:
        await story.driver.hv_compose_msi_msg(data)
        before.append(len(story.host.received))
        story.hbus.children.delete(story.hbus.children.first())
        await story.driver.hv_msi_free(data)
        assert await story.driver.hv_compose_msi_msg(data) == NULL_MSI_MSG

    before: list[int] = []
    story.thread(compose_then_lose_the_function())
    assert len(story.host.received) == before[0]
    assert data.chip_data is None


def test_without_memory_an_interrupt_gets_a_message_of_zeroes() -> None:
    story = Story(cpus=2).arrive()
    _, (data,) = msi_block(story, 1)
    story.kernel.fail_allocation = "IntDesc".__eq__

    async def compose() -> None:
        assert await story.driver.hv_compose_msi_msg(data) == NULL_MSI_MSG

    story.thread(compose())
    assert [event.reason for event in story.of(MsiNotComposed)] == ["out of memory"]


def test_the_dummy_cpu_of_multi_msi_goes_round_the_online_cpus() -> None:
    story = Story(cpus=3).arrive()
    chosen = []

    async def take_five() -> None:
        chosen.extend([await story.driver.hv_compose_multi_msi_req_get_cpu() for _ in range(5)])

    story.thread(story.kernel.hotplug.cpu_down(1))
    story.thread(take_five())
    assert chosen == [0, 2, 0, 2, 0]


def test_the_dummy_cpu_of_a_single_interrupt_is_the_lowest_of_its_mask() -> None:
    story = Story(cpus=4)
    assert story.driver.hv_compose_msi_req_get_cpu(0b1100) == 2
    story.thread(story.kernel.hotplug.cpu_down(2))
    assert story.driver.hv_compose_msi_req_get_cpu(0b1100) == 3
