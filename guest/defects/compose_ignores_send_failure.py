# SPDX-License-Identifier: MIT
"""Where CREATE_INTERRUPT could not be sent, the answer was looked at all the same.

Until 665e2245eb46 a failure to send skipped nothing but the wait: the status was whatever lay on
the stack, and the mapping likewise.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.pci_hyperv.mapping_request import ComposeCompCtxt, MappingRequest


class ReadsTheAnswerAnyway(MappingRequest):
    """hv_compose_msi_msg() that goes on to the status."""

    def not_sent(self, _ret: int, comp: ComposeCompCtxt) -> str:
        return self.refusal(comp)


DEFECT = Defect(
    id="compose-ignores-send-failure",
    subject="PCI: hv: Handle vmbus_sendpacket() failure in hv_compose_msi_msg()",
    commit="665e2245eb46",
    commit_check="unconfirmed",
    cls="B",
    fixed="2016-11 / v4.10",
    scenario="interrupt-ring-full",
    expect="uninitialised",
    why="The ring is full when a mapping is asked for. The commit id is unconfirmed.",
    mixins=(Mixin("driver", ReadsTheAnswerAnyway),),
    faults={"ring-full": 1},
    why_model_only=(
        "The real driver's stack is not watched for what was never written: the status is whatever"
        " the compiler left there, and a message that the host never made shows only by chance."
    ),
)
