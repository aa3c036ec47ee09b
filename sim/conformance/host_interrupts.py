# SPDX-License-Identifier: MIT
"""The interrupts of the function behind a host under test: asked for, wired up, raised.

As ``host_device``, which it stands on. Knows no case.
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
from protocol.vpci import MessageType, PciCreateIntResponse, PciDeleteInterrupt, TranIntDesc
from sim.conformance.answers import Answer
from sim.conformance.case import NotOffered
from sim.conformance.expecting import expect, reaching
from sim.conformance.host_bench import ONES, HostBench
from sim.conformance.host_device import FoundBar, started

VECTOR: Final = 0x41
VP: Final = 1
CONVENTIONAL: Final = 0x100  # bytes of configuration space that hold MSI and MSI-X
MSIX_ENTRY: Final = 16
M = MessageType


class Came(NamedTuple):
    """An interrupt that reached a processor."""

    vp: int
    vector: int

    def __str__(self) -> str:
        return f"vector {self.vector:#x} at VP {self.vp}"


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
