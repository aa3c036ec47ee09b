# SPDX-License-Identifier: MIT
"""The function behind a host under test, as its driver works with it: base registers, interrupts.

Goes by what configuration space says and by nothing that only we know of the device. What is in
the way of a case raises NotOffered. Knows no case.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from protocol.hypercall import (
    HV_DEVICE_INTERRUPT_TARGET_PROCESSOR_SET,
    HV_INTERRUPT_SOURCE_MSI,
    HVCALL_RETARGET_INTERRUPT,
    HvDeviceInterruptTarget,
    HvInterruptEntry,
    HvMsiEntry,
    HvRetargetDeviceInterrupt,
    control_word,
)
from protocol.ids import logical_device_id
from protocol.pci_cap_rows import PCI_MSIX_FLAGS_ENABLE, PCI_MSIX_FLAGS_QSIZE
from protocol.pci_caps import PCI_CAP_ID_MSI, PCI_CAP_ID_MSIX, find_capability
from protocol.pci_regs import (
    BAR_COUNT,
    PCI_BASE_ADDRESS_0,
    PCI_BASE_ADDRESS_MEM_TYPE_64,
    PCI_BASE_ADDRESS_SPACE_IO,
    PCI_COMMAND,
    PCI_COMMAND_MASTER,
    PCI_COMMAND_MEMORY,
)
from protocol.vpci import MessageType, PciCreateIntResponse, PciDeleteInterrupt, TranIntDesc
from sim.conformance.answers import Answer
from sim.conformance.case import NotOffered
from sim.conformance.expecting import expect, reaching
from sim.conformance.host_bench import HostBench

VECTOR: Final = 0x41
VP: Final = 1
WIDE_BASE: Final = 0x20_0000_0000  # where a 64-bit BAR is put
NARROW_BASE: Final = 0xE000_0000  # and a 32-bit one
BAR_FLAG_BITS: Final = 0xF
CONVENTIONAL: Final = 0x100  # bytes of configuration space that hold MSI and MSI-X
MSIX_ENTRY: Final = 16
BEGINNING: Final = 0x40  # bytes of a BAR that are looked at
ONES: Final = 0xFFFF_FFFF
M = MessageType


class Came(NamedTuple):
    """An interrupt that reached a processor."""

    vp: int
    vector: int

    def __str__(self) -> str:
        return f"vector {self.vector:#x} at VP {self.vp}"


class FoundBar(NamedTuple):
    """A memory BAR: its register's offset, whether it has two, its size, where it is put."""

    number: int
    wide: bool
    size_bytes: int
    base: int

    @property
    def register(self) -> int:
        """Where its (lower) register lies."""
        return PCI_BASE_ADDRESS_0 + 4 * self.number


# Base registers


def probed(host: HostBench) -> tuple[int, ...]:
    """What the six registers read back after all ones, decoding off; zeros are left there."""
    set_command(host, 0)
    found = []
    for index in range(BAR_COUNT):
        offset = PCI_BASE_ADDRESS_0 + 4 * index
        host.write_config(offset, ONES)
        found.append(host.read_config(offset))
        host.write_config(offset, 0)
    return tuple(found)


def first_bar(host: HostBench) -> FoundBar:
    """The first memory BAR. Raises NotOffered for a function without one."""
    words = (*probed(host), 0)
    for index, word in enumerate(words[:-1]):
        if not word & ~BAR_FLAG_BITS or word == ONES or word & PCI_BASE_ADDRESS_SPACE_IO:
            continue
        wide = bool(word & PCI_BASE_ADDRESS_MEM_TYPE_64)
        mask = word & ~BAR_FLAG_BITS | (words[index + 1] if wide else ONES) << 32
        size = (1 << 64) - mask
        return FoundBar(index, wide, size, WIDE_BASE if wide else NARROW_BASE)
    raise NotOffered("the function shows no memory BAR")


def program(host: HostBench, bar: FoundBar, base: int) -> None:
    """Write an address into a BAR."""
    host.write_config(bar.register, base & ONES)
    if bar.wide:
        host.write_config(bar.register + 4, base >> 32)


def address_in(host: HostBench, bar: FoundBar) -> int:
    """The address that a BAR reads back."""
    low = host.read_config(bar.register) & ~BAR_FLAG_BITS
    return low | host.read_config(bar.register + 4) << 32 if bar.wide else low


def set_command(host: HostBench, bits: int) -> None:
    """Write the command register."""
    host.write_config(PCI_COMMAND, bits, 2)


def command(host: HostBench) -> int:
    """Read it."""
    return host.read_config(PCI_COMMAND, 2)


def started(host: HostBench) -> FoundBar:
    """From assigned resources to a function that decodes and may interrupt; its first BAR."""
    bar = first_bar(host)
    program(host, bar, bar.base)
    set_command(host, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)
    with reaching("a programmed BAR"):
        expect("the BAR", address_in(host, bar), bar.base)
    return bar


def answers(host: HostBench, bar: FoundBar) -> bool:
    """Whether the BAR's memory answers where it was put: some of it is not all ones."""
    beginning = range(bar.base, bar.base + min(bar.size_bytes, BEGINNING), 4)
    return any(host.host.mmio_read(at, 4) != ONES for at in beginning)


def expect_answer(host: HostBench, bar: FoundBar) -> None:
    """Raise Nonconforming unless it does."""
    expect("whether the BAR answers where it was put", answers(host, bar), True)


# Interrupts


def create_message(
    host: HostBench, *, vector: int = VECTOR, count: int = 1, vps: Sequence[int] = (VP,)
) -> bytes:
    """The request for interrupts in the form of the agreed version."""
    dialect = host.dialect
    common = dialect.interrupt_description(vector=vector, vector_count=count)
    if dialect.processors == "mask":
        description = replace(common, cpu_mask=sum(1 << vp for vp in vps))
    else:
        padded = (*vps, *[0] * (32 - len(vps)))
        description = replace(common, processor_count=len(vps), processor_array=padded)
    return dialect.create_interrupt(dialect.create_message, 0, description).build()  # type: ignore[arg-type]  # a dialect's own


def create(host: HostBench, **request: int | Sequence[int]) -> Answer:
    """Ask for interrupts; ``request`` as :func:`create_message` has it."""
    return host.ask(create_message(host, **request))  # type: ignore[arg-type]  # as above


def created(host: HostBench, **request: int | Sequence[int]) -> TranIntDesc:
    """The message of interrupts that were granted."""
    with reaching("an interrupt"):
        return message_in(create(host, **request))


def message_in(answer: Answer) -> TranIntDesc:
    """The message a reply grants. Raises Nonconforming for a refusal or a short reply."""
    expect("the status of the create request", answer.status, 0)
    expect("whether the reply has 24 bytes", len(answer.body) >= PciCreateIntResponse.SIZE, True)
    return PciCreateIntResponse.parse(answer.body).int_desc


def delete_message(message: TranIntDesc, kind: M = M.PCI_DELETE_INTERRUPT_MESSAGE) -> bytes:
    """The request to delete interrupts."""
    return PciDeleteInterrupt(kind, 0, message).build()


def retarget(host: HostBench, message: TranIntDesc, vector: int, *vps: int, device: int = 0) -> int:
    """Have a message go elsewhere, in the form Linux uses at the agreed version; the HV_STATUS.

    ``device`` is XORed into the device's own id.
    """
    mask = sum(1 << vp for vp in vps)
    if host.dialect.retarget_by_vp_set:
        flags = HV_DEVICE_INTERRUPT_TARGET_PROCESSOR_SET
        target = HvDeviceInterruptTarget(vector, flags, 0, (1, mask))
    else:
        target = HvDeviceInterruptTarget(vector, 0, mask)
    entry = HvInterruptEntry(
        HV_INTERRUPT_SOURCE_MSI, msi_entry=HvMsiEntry(message.address, message.data)
    )
    device_id = logical_device_id(host.instance_id) ^ device
    call = HvRetargetDeviceInterrupt(device_id=device_id, int_entry=entry, int_target=target)
    control = control_word(HVCALL_RETARGET_INTERRUPT, len(target.set_words))
    return host.host.hypercall(control, call.build()).status


def _capability(host: HostBench, wanted: int, name: str) -> tuple[int, bytes]:
    words = (host.read_config(at) for at in range(0, CONVENTIONAL, 4))
    image = b"".join(word.to_bytes(4, "little") for word in words)
    at = find_capability(image.ljust(1 << 12, b"\0"), wanted)
    if at is None:
        raise NotOffered(f"the function has no {name}")
    return at, image


def msix_vectors(host: HostBench) -> int:
    """The size of the MSI-X table. Raises NotOffered without one."""
    at, image = _capability(host, PCI_CAP_ID_MSIX, "MSI-X")
    return (int.from_bytes(image[at + 2 : at + 4], "little") & PCI_MSIX_FLAGS_QSIZE) + 1


def wire_msix(host: HostBench, bar: FoundBar, message: TranIntDesc, index: int = 0) -> None:
    """Have vector ``index`` of the MSI-X table send a message. NotOffered if it is elsewhere."""
    at, image = _capability(host, PCI_CAP_ID_MSIX, "MSI-X")
    table = int.from_bytes(image[at + 4 : at + 8], "little")
    if table & 7 != bar.number:
        raise NotOffered("the MSI-X table is not in the first BAR")
    entry = bar.base + (table & ~7) + index * MSIX_ENTRY
    words = (message.address & ONES, message.address >> 32, message.data, 0)
    for number, word in enumerate(words):
        host.host.mmio_write(entry + 4 * number, 4, word)
    host.write_config(at + 2, PCI_MSIX_FLAGS_ENABLE, 2)


def wire_msi(host: HostBench, message: TranIntDesc) -> None:
    """Have both of two MSI vectors send a message each; the second's data is one more."""
    at, image = _capability(host, PCI_CAP_ID_MSI, "MSI")
    if not image[at + 2] & 0x80:
        raise NotOffered("the function's MSI takes no 64-bit address")
    host.write_config(at + 4, message.address & ONES)
    host.write_config(at + 8, message.address >> 32)
    host.write_config(at + 12, message.data, 2)
    host.write_config(at + 2, 1 | 1 << 4, 2)  # enabled, two vectors granted


def wired(host: HostBench) -> TranIntDesc:
    """From assigned resources to an interrupt that the function can raise as its vector 0."""
    bar = started(host)
    message = created(host)
    wire_msix(host, bar, message)
    return message


def raised(host: HostBench, index: int = 0) -> tuple[Came, ...]:
    """Have the function raise a vector; what reaches the processors."""
    host.host.interrupts()
    host.order("raise-interrupt", wslot=0, index=index)
    return tuple(Came(vp, vector) for vp, vector in host.host.interrupts())


def heard(host: HostBench) -> tuple[Came, ...]:
    """What the function's vector 0 brings. Raises NotOffered if that is not one interrupt."""
    with reaching("an interrupt that is delivered"):
        came = raised(host)
        expect("the number of interrupts", len(came), 1)
    return came
