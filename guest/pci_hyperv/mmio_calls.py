# SPDX-License-Identifier: MIT
"""MMIO by hypercall, for guests whose host asks for it (confidential VMs). Knows no register."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protocol.hypercall import (
    HV_HYPERCALL_MMIO_MAX_DATA_LENGTH,
    HV_STATUS_SUCCESS,
    HVCALL_MMIO_READ,
    HVCALL_MMIO_WRITE,
    HvMmioReadInput,
    HvMmioReadOutput,
    HvMmioWriteInput,
)

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel


def hv_pci_read_mmio(kernel: Kernel, gpa: int, size: int) -> int | None:
    """Read ``size`` bytes; None if the hypercall failed, where C leaves the result untouched."""
    result = kernel.hypercall(HVCALL_MMIO_READ, HvMmioReadInput(gpa, size, 0).build())
    if result.status != HV_STATUS_SUCCESS:
        kernel.log("err", f"MMIO read hypercall error {result.status:x} addr {gpa:x} size {size}")
        return None
    return int.from_bytes(HvMmioReadOutput.parse(result.output).data[:size], "little")


def hv_pci_write_mmio(kernel: Kernel, gpa: int, size: int, value: int) -> int:
    """Write ``size`` bytes: for how many ns the host held the CPU. A failure is only logged."""
    data = value.to_bytes(size, "little").ljust(HV_HYPERCALL_MMIO_MAX_DATA_LENGTH, b"\0")
    result = kernel.hypercall(HVCALL_MMIO_WRITE, HvMmioWriteInput(gpa, size, 0, data).build())
    if result.status != HV_STATUS_SUCCESS:
        kernel.log("err", f"MMIO write hypercall error {result.status:x} addr {gpa:x} size {size}")
    return result.held_ns
