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
    status, output = kernel.hypercall(HVCALL_MMIO_READ, HvMmioReadInput(gpa, size, 0).build())
    if status != HV_STATUS_SUCCESS:
        kernel.log("err", f"MMIO read hypercall error {status:x} addr {gpa:x} size {size}")
        return None
    return int.from_bytes(HvMmioReadOutput.parse(output).data[:size], "little")


def hv_pci_write_mmio(kernel: Kernel, gpa: int, size: int, value: int) -> None:
    """Write ``size`` bytes; a failure is only logged."""
    data = value.to_bytes(size, "little").ljust(HV_HYPERCALL_MMIO_MAX_DATA_LENGTH, b"\0")
    status, _ = kernel.hypercall(HVCALL_MMIO_WRITE, HvMmioWriteInput(gpa, size, 0, data).build())
    if status != HV_STATUS_SUCCESS:
        kernel.log("err", f"MMIO write hypercall error {status:x} addr {gpa:x} size {size}")
