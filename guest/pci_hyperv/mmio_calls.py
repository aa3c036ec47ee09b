# SPDX-License-Identifier: MIT
"""MMIO by hypercall, for guests whose host asks for it (confidential VMs). Knows no register.

Of a call's input only address, size and data are filled in; the rest is whatever the CPU's page
held before. The caller has interrupts off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from protocol.hypercall import (
    HV_STATUS_SUCCESS,
    HVCALL_MMIO_READ,
    HVCALL_MMIO_WRITE,
    HvMmioReadInput,
    HvMmioWriteInput,
)

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel

# Of struct hv_mmio_read_input and hv_mmio_write_input: address and size, a reserved word, data.
_FILLED_BYTES: Final = 12
_DATA_AT: Final = 16


def hv_pci_read_mmio(kernel: Kernel, gpa: int, size: int) -> int | None:
    """Read ``size`` bytes; None if the hypercall failed, where C leaves the result untouched."""
    page = kernel.current_cpu().input_page
    page[:_FILLED_BYTES] = HvMmioReadInput(gpa, size).build()[:_FILLED_BYTES]
    result = kernel.hypercall(HVCALL_MMIO_READ, bytes(page[: HvMmioReadInput.SIZE]))
    output_at = HvMmioReadInput.SIZE
    page[output_at : output_at + len(result.output)] = result.output
    if result.status != HV_STATUS_SUCCESS:
        kernel.log("err", f"MMIO read hypercall error {result.status:x} addr {gpa:x} size {size}")
        return None
    return int.from_bytes(page[output_at : output_at + size], "little")


def hv_pci_write_mmio(kernel: Kernel, gpa: int, size: int, value: int) -> int:
    """Write ``size`` bytes: for how many ns the host held the CPU. A failure is only logged."""
    page = kernel.current_cpu().input_page
    page[:_FILLED_BYTES] = HvMmioWriteInput(gpa, size).build()[:_FILLED_BYTES]
    page[_DATA_AT : _DATA_AT + size] = value.to_bytes(size, "little")
    result = kernel.hypercall(HVCALL_MMIO_WRITE, bytes(page[: HvMmioWriteInput.SIZE]))
    if result.status != HV_STATUS_SUCCESS:
        kernel.log("err", f"MMIO write hypercall error {result.status:x} addr {gpa:x} size {size}")
    return result.held_ns
