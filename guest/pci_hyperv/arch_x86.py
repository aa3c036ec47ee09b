# SPDX-License-Identifier: MIT
"""What x86 does where architectures differ: a hypercall aims each interrupt.

Knows the retarget hypercall; knows no message on the channel.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from guest.events import MsiRetargeted
from guest.kernel import ops
from guest.pci_hyperv.bus import HvPciBusState
from protocol.hypercall import (
    HV_DEVICE_INTERRUPT_TARGET_PROCESSOR_SET,
    HV_GENERIC_SET_SPARSE_4K,
    HV_INTERRUPT_SOURCE_MSI,
    HV_STATUS_SUCCESS,
    HV_VCPUS_PER_SPARSE_BANK,
    HVCALL_RETARGET_INTERRUPT,
    HvDeviceInterruptTarget,
    HvInterruptEntry,
    HvMsiEntry,
    HvRetargetDeviceInterrupt,
    control_word,
)
from protocol.ids import Vector, logical_device_id
from protocol.vpci import DELIVERY_MODE_FIXED

if TYPE_CHECKING:
    from guest.kernel.irq import IrqData
    from guest.pci_hyperv.interrupts import Interrupts
    from guest.vmbus.connection import VmbusConnection

TARGETS_KEPT = 1024  # an interrupt is aimed again and again at what others were aimed at


class X86Arch:
    """x86: vectors of the local APIC, aimed by HVCALL_RETARGET_INTERRUPT."""

    delivery_mode = DELIVERY_MODE_FIXED

    def hv_msi_get_int_vector(self, data: IrqData) -> int:
        """The vector that the interrupt holds on its CPU."""
        return data.vector

    async def hv_arch_irq_unmask(self, driver: Interrupts, data: IrqData) -> None:
        """Aim the interrupt at its effective CPUs, and not at all those it might use.

        Without a mapping there is nothing to aim (composing failed); a failure is only logged, and
        not even that while the bus is being removed.
        """
        kernel = driver.kernel
        if not driver.has_mapping(data):
            kernel.log("warn", f"can not unmask irq {data.irq}")
            return
        hbus = driver.bus_of(driver.pci_dev_of(data).bus)
        relid = hbus.relid
        cpus = driver.online_cpus(driver.affinity_of(data))
        control, payload = self.retarget_call(driver, data, cpus)
        status = await driver.retarget(hbus, control, payload)
        kernel.emit(MsiRetargeted(relid, data.irq, tuple(cpus), Vector(data.vector), status))
        if status == HV_STATUS_SUCCESS:
            return
        await ops.point(kernel, "hbus.state")
        if hbus.state is not HvPciBusState.REMOVING:
            kernel.log("err", f"hv_arch_irq_unmask() failed: {status:#x}")

    def bridge_coherence(self, _vmbus: VmbusConnection) -> bool | None:
        """Everything is: the bridge has no ACPI companion to be asked."""
        return None

    def retarget_call(
        self, driver: Interrupts, data: IrqData, cpus: list[int]
    ) -> tuple[int, bytes]:
        """The hypercall's control word and input; the dialect says in which form VPs are named."""
        pdev = driver.pci_dev_of(data)
        hbus = driver.bus_of(pdev.bus)
        vps = tuple(driver.kernel.cpus[cpu].vp for cpu in cpus)
        by_set = hbus.dialect is not None and hbus.dialect.retarget_by_vp_set
        target = vp_set_target(data.vector, vps) if by_set else vp_mask_target(data.vector, vps)
        call = HvRetargetDeviceInterrupt(
            device_id=logical_device_id(hbus.hdev.dev_instance, pdev.devfn & 7),
            int_entry=HvInterruptEntry(
                source=HV_INTERRUPT_SOURCE_MSI,
                msi_entry=HvMsiEntry(*driver.msi_entry(data)),
            ),
            int_target=target,
        )
        return control_word(HVCALL_RETARGET_INTERRUPT, len(target.set_words)), call.build()


@lru_cache(maxsize=TARGETS_KEPT)
def vp_set_target(vector: int, vps: tuple[int, ...]) -> HvDeviceInterruptTarget:
    """A sparse set: every bank from the first to the last one used, empty ones too.

    The variable part counts valid_bank_mask and the banks (cpumask_to_vpset()).
    """
    banks = [0] * (max(vps, default=0) // HV_VCPUS_PER_SPARSE_BANK + 1)
    for vp in vps:
        banks[vp // HV_VCPUS_PER_SPARSE_BANK] |= 1 << vp % HV_VCPUS_PER_SPARSE_BANK
    return HvDeviceInterruptTarget(
        vector=vector,
        flags=HV_DEVICE_INTERRUPT_TARGET_PROCESSOR_SET,
        vp_mask=HV_GENERIC_SET_SPARSE_4K,
        set_words=((1 << len(banks)) - 1, *banks),
    )


def vp_mask_target(vector: int, vps: tuple[int, ...]) -> HvDeviceInterruptTarget:
    """One 64-bit mask; C shifts a 64-bit one, so higher VPs wrap round."""
    mask = 0
    for vp in vps:
        mask |= 1 << vp % HV_VCPUS_PER_SPARSE_BANK
    return HvDeviceInterruptTarget(vector=vector, vp_mask=mask)
