# SPDX-License-Identifier: MIT
"""The guest never names a processor that the VM does not have.

The hypervisor says so, to a retarget hypercall or to a request for a mapping.
"""

from __future__ import annotations

from typing import ClassVar

from host.events import InterruptRefused, InterruptRetargeted
from protocol.hypercall import HV_STATUS_INVALID_VP_INDEX
from sim.oracles.law import Finding, Law, Sees


class ProcessorsExist(Law):
    name = "interrupts are sent to processors that exist"
    kind = "protocol"

    def _retargeted(self, event: InterruptRetargeted, *_: object) -> Finding:
        if event.status == HV_STATUS_INVALID_VP_INDEX:
            vps = ", ".join(map(str, event.vps))
            return f"an interrupt was aimed at VP {vps}, and there is none"
        return None

    def _refused(self, event: InterruptRefused, *_: object) -> Finding:
        if event.status == HV_STATUS_INVALID_VP_INDEX:
            return f"an interrupt of {event.bus} was asked for on a processor that does not exist"
        return None

    sees: ClassVar[Sees] = {InterruptRetargeted: _retargeted, InterruptRefused: _refused}
