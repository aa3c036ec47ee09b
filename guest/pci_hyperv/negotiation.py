# SPDX-License-Identifier: MIT
"""Version negotiation: offer the versions from high to low until the host takes one."""

from __future__ import annotations

from collections.abc import Sequence
from errno import ENOMEM, EPROTO
from typing import TYPE_CHECKING

from guest.events import FunctionReturned, VersionNegotiated
from guest.kernel.memory import GFP_KERNEL
from guest.pci_hyperv.bus import hv_get_drvdata
from guest.pci_hyperv.messages import version_request
from guest.pci_hyperv.requests import HvPciCompl, PciPacket, Requests
from protocol.status import STATUS_REVISION_MISMATCH
from protocol.versions import LINUX_VPCI_VERSIONS, VPCI_DIALECTS, Dialect

if TYPE_CHECKING:
    from guest.vmbus.channel import HvDevice

PCI_PROTOCOL_VERSIONS: tuple[Dialect, ...] = tuple(
    VPCI_DIALECTS[version] for version in LINUX_VPCI_VERSIONS
)  # what Linux 6.12 speaks, highest first


class Negotiation(Requests):
    """One question per version."""

    async def hv_pci_protocol_negotiation(self, hdev: HvDevice, versions: Sequence[Dialect]) -> int:
        """Agree on one of ``versions`` (highest first): 0, -EPROTO if none fits, or -errno."""
        packet = await self.kernel.kzalloc(PciPacket, GFP_KERNEL, self.hv_pci_generic_compl, None)
        if packet is None:
            return -ENOMEM
        frame = self.kernel.stack_frame("hv_pci_protocol_negotiation")
        comp_pkt = frame.own(HvPciCompl(self.kernel))
        packet.compl_ctxt = comp_pkt
        ret = await self._offer_versions(hdev, versions, packet, comp_pkt)
        await self.kernel.kfree(packet)
        frame.leave()
        if ret:
            relid = hdev.channel.relid
            self.kernel.emit(FunctionReturned(relid, "hv_pci_protocol_negotiation", ret))
        return ret

    async def _offer_versions(
        self, hdev: HvDevice, versions: Sequence[Dialect], packet: PciPacket, comp_pkt: HvPciCompl
    ) -> int:
        for dialect in versions:
            request = version_request(dialect.version)
            ret = await self.send_request(hdev.channel, request, packet)
            if not ret:
                ret = await self.wait_for_response(hdev, comp_pkt.host_event)
            if ret:
                self.kernel.log("err", f"PCI pass-through VSP failed to request version: {ret}")
                return ret
            status = comp_pkt.completion_status
            if status >= 0:
                hv_get_drvdata(hdev).dialect = dialect
                self.kernel.log("info", f"using version {dialect.version:#x}")
                self.kernel.emit(VersionNegotiated(hdev.channel.relid, dialect.name))
                return 0
            if status != STATUS_REVISION_MISMATCH:
                self.kernel.log("err", f"PCI pass-through VSP failed version request: {status:#x}")
                return -EPROTO
            comp_pkt.host_event.reinit()
        self.kernel.log("err", "PCI pass-through VSP failed to find supported version")
        return -EPROTO
