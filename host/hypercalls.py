# SPDX-License-Identifier: MIT
"""The hypercalls a vPCI guest makes: decode the input, check it, hand it on, give the status.

A table of call codes. Knows what the inputs look like and which of them the hypervisor answers by
itself (retarget); the rest goes to a :class:`HypercallPort`. Knows no channel and no device.
"""

from collections.abc import Callable, Mapping
from typing import Final, Protocol, TypeAlias

from host.events import InterruptRetargeted
from host.hypervisor import Hypervisor
from host.vp_sets import vps_of_banks, vps_of_mask
from protocol.errors import WireFormatError
from protocol.hypercall import (
    HV_DEVICE_INTERRUPT_TARGET_MULTICAST,
    HV_DEVICE_INTERRUPT_TARGET_PROCESSOR_SET,
    HV_GENERIC_SET_ALL,
    HV_GENERIC_SET_SPARSE_4K,
    HV_HYPERCALL_FAST_BIT,
    HV_HYPERCALL_VARHEAD_MASK,
    HV_INTERRUPT_SOURCE_MSI,
    HV_PARTITION_ID_SELF,
    HV_STATUS_INVALID_HYPERCALL_CODE,
    HV_STATUS_INVALID_HYPERCALL_INPUT,
    HV_STATUS_INVALID_PARAMETER,
    HV_STATUS_INVALID_PARTITION_ID,
    HV_STATUS_SUCCESS,
    HVCALL_MMIO_READ,
    HVCALL_MMIO_WRITE,
    HVCALL_POST_MESSAGE,
    HVCALL_RETARGET_INTERRUPT,
    HVCALL_SIGNAL_EVENT,
    HvMmioReadInput,
    HvMmioReadOutput,
    HvMmioWriteInput,
    HvRetargetDeviceInterrupt,
    HypercallResult,
    call_code,
    variable_header_qwords,
)
from protocol.ids import ConnectionId, VpIndex
from protocol.synic import POSTED_PAYLOAD_AT, posted_fields, signalled_fields
from protocol.vmbus import MAX_SIZE_CHANNEL_MESSAGE

# Code, fast bit and variable header are what these calls may use; rep counts and reserved bits not.
_CONTROL_BITS: Final = 0xFFFF | HV_HYPERCALL_FAST_BIT | HV_HYPERCALL_VARHEAD_MASK
_TARGET_FLAGS: Final = (
    HV_DEVICE_INTERRUPT_TARGET_MULTICAST | HV_DEVICE_INTERRUPT_TARGET_PROCESSOR_SET
)
_RETARGET_FIXED_BYTES: Final = 56  # up to vp_mask; a set's bank mask is the variable header's first
# Model: the data field holds 64 bytes, but only what one instruction can move is taken.
_MMIO_SIZES: Final = (1, 2, 4, 8)


class HypercallPort(Protocol):
    """Who knows messages, events and addresses. Answers are HV_STATUS codes where not said else."""

    def post_message(self, connection_id: ConnectionId, payload: bytes) -> int:
        """A message of at most 240 bytes for the port behind ``connection_id``."""

    def signal_event(self, connection_id: ConnectionId, flag: int) -> int:
        """Signal the event port behind ``connection_id``."""

    def called_read(self, gpa: int, size: int) -> tuple[int, int]:
        """An MMIO hypercall reads there: status and, if that is success, the value."""

    def called_write(self, gpa: int, size: int, value: int) -> tuple[int, int]:
        """An MMIO hypercall writes there: status, and nanoseconds the VP was held."""

    def interrupt_retargeted(self, event: InterruptRetargeted) -> None:
        """The hypervisor has looked at a retarget hypercall."""


def make_hypercall(
    hypervisor: Hypervisor, port: HypercallPort, control: int, data: bytes
) -> HypercallResult:
    """Carry out one hypercall.

    ``data`` is the input page's used part or the registers of a fast call. Never raises for what
    a guest puts into either.
    """
    handler = HYPERCALLS.get(call_code(control))
    if handler is None:
        return HypercallResult(HV_STATUS_INVALID_HYPERCALL_CODE)
    if control & ~_CONTROL_BITS:
        return HypercallResult(HV_STATUS_INVALID_HYPERCALL_INPUT)
    try:
        return handler(hypervisor, port, control, data)
    except WireFormatError:
        return HypercallResult(HV_STATUS_INVALID_HYPERCALL_INPUT)


def _post_message(_: Hypervisor, port: HypercallPort, control: int, data: bytes) -> HypercallResult:
    if control & HV_HYPERCALL_VARHEAD_MASK:
        return HypercallResult(HV_STATUS_INVALID_HYPERCALL_INPUT)
    connection_id, message_type, size = posted_fields(data)
    # TLFS: type 0 means "no message", bit 31 is the hypervisor's own.
    if size > MAX_SIZE_CHANNEL_MESSAGE or not 0 < message_type < 1 << 31:
        return HypercallResult(HV_STATUS_INVALID_PARAMETER)
    payload = data[POSTED_PAYLOAD_AT : POSTED_PAYLOAD_AT + size]
    return HypercallResult(port.post_message(ConnectionId(connection_id), payload))


def _signal_event(_: Hypervisor, port: HypercallPort, control: int, data: bytes) -> HypercallResult:
    if control & HV_HYPERCALL_VARHEAD_MASK:
        return HypercallResult(HV_STATUS_INVALID_HYPERCALL_INPUT)
    connection_id, flag, reserved = signalled_fields(data)
    if reserved:
        return HypercallResult(HV_STATUS_INVALID_PARAMETER)
    return HypercallResult(port.signal_event(ConnectionId(connection_id), flag))


# Of an MMIO call's input the reserved word is not looked at: Linux leaves there what the page held
# before (hv_pci_read_mmio(), hv_pci_write_mmio() of 6.12), and works on hosts in the field.


def _mmio_read(_: Hypervisor, port: HypercallPort, control: int, data: bytes) -> HypercallResult:
    request = HvMmioReadInput.parse(data)
    if control & HV_HYPERCALL_VARHEAD_MASK or request.size not in _MMIO_SIZES:
        return HypercallResult(HV_STATUS_INVALID_PARAMETER)
    status, value = port.called_read(request.gpa, request.size)
    if status != HV_STATUS_SUCCESS:
        return HypercallResult(status)
    return HypercallResult(status, value.to_bytes(HvMmioReadOutput.SIZE, "little"))


def _mmio_write(_: Hypervisor, port: HypercallPort, control: int, data: bytes) -> HypercallResult:
    request = HvMmioWriteInput.parse(data)
    size = request.size
    if control & HV_HYPERCALL_VARHEAD_MASK or size not in _MMIO_SIZES:
        return HypercallResult(HV_STATUS_INVALID_PARAMETER)
    value = int.from_bytes(request.data[:size], "little")
    status, held_ns = port.called_write(request.gpa, size, value)
    return HypercallResult(status, held_ns=held_ns)


def _retarget(
    hypervisor: Hypervisor, port: HypercallPort, control: int, data: bytes
) -> HypercallResult:
    words = variable_header_qwords(control)
    wanted_bytes = _RETARGET_FIXED_BYTES + 8 * words
    if len(data) < wanted_bytes:
        return HypercallResult(HV_STATUS_INVALID_HYPERCALL_INPUT)
    request = HvRetargetDeviceInterrupt.parse(data[:wanted_bytes])
    refused = _refuses(request)
    if refused is not None:
        return HypercallResult(refused)
    entry, target = request.int_entry, request.int_target
    if target.flags & HV_DEVICE_INTERRUPT_TARGET_PROCESSOR_SET:
        targets = _set_targets(hypervisor, target.vp_mask, target.set_words)
    else:
        targets = None if words else vps_of_mask(target.vp_mask)
    if targets is None:
        return HypercallResult(HV_STATUS_INVALID_HYPERCALL_INPUT)
    message = entry.msi_entry
    status = hypervisor.retarget(
        request.device_id, message.address, message.data, target.vector, targets
    )
    port.interrupt_retargeted(
        InterruptRetargeted(
            request.device_id, message.address, message.data, target.vector, targets, status
        )
    )
    return HypercallResult(status)


def _refuses(request: HvRetargetDeviceInterrupt) -> int | None:
    """The status for a request that is wrong whatever its targets are; None for a right one."""
    entry = request.int_entry
    if request.partition_id != HV_PARTITION_ID_SELF:
        return HV_STATUS_INVALID_PARTITION_ID
    if entry.source != HV_INTERRUPT_SOURCE_MSI or entry.reserved1 or request.reserved2:
        return HV_STATUS_INVALID_PARAMETER
    if request.int_target.flags & ~_TARGET_FLAGS:
        return HV_STATUS_INVALID_PARAMETER
    return None


def _set_targets(
    hypervisor: Hypervisor, set_format: int, words: tuple[int, ...]
) -> tuple[VpIndex, ...] | None:
    """The VPs of a set as it stands in the variable header; None if that is malformed."""
    if set_format == HV_GENERIC_SET_ALL:
        return hypervisor.vps
    if set_format != HV_GENERIC_SET_SPARSE_4K or not words:
        return None
    try:
        return vps_of_banks(words[0], words[1:])
    except ValueError:  # the control word promised another number of banks
        return None


_Handler: TypeAlias = Callable[[Hypervisor, HypercallPort, int, bytes], HypercallResult]

HYPERCALLS: Final[Mapping[int, _Handler]] = {
    HVCALL_POST_MESSAGE: _post_message,
    HVCALL_SIGNAL_EVENT: _signal_event,
    HVCALL_RETARGET_INTERRUPT: _retarget,
    HVCALL_MMIO_READ: _mmio_read,
    HVCALL_MMIO_WRITE: _mmio_write,
}
