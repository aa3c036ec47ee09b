# SPDX-License-Identifier: MIT
"""What a guest does otherwise when its host cannot see its memory: confidential VMs, said once.

After hv_is_isolation_supported() and the hint HV_X64_USE_MMIO_HYPERCALLS of Linux 6.12. What it
checks of a host's messages, Linux checks of every host; so none of it is here.

Model: memory that both sides use is shared from the start. Linux makes it so page by page
(set_memory_decrypted()), which a wire does not show.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple
from uuid import UUID

# vmbus_devs[]: the kinds of devices with allowed_in_isolated.
ALLOWED_IN_ISOLATED: Final = frozenset(
    {
        UUID("ba6163d9-04a1-4d29-b605-72e2ffb1dc7f"),  # SCSI
        UUID("f8615163-df3e-46c5-913f-f2d2f965ed0e"),  # NIC
        UUID("44c4f61d-4444-4400-9d52-802e27ede19f"),  # PCI Express
        UUID("9527e630-d0ae-497b-adce-e80ab0175caf"),  # time synchronisation
        UUID("57164f39-9115-4e78-ab55-382f3bd5422d"),  # heartbeat
        UUID("0e0b6031-5213-4934-818b-38d90ced39db"),  # shutdown
    }
)


class Isolation(NamedTuple):
    """``kinds`` are the interface types whose offers are taken; None takes all.

    Model: offers of hv_sock are taken in Linux whatever their type; no host of ours makes one.
    """

    config_by_calls: bool  # configuration space by hypercalls, not by instructions
    hardened_only: bool  # VMBus versions made for such guests, or no VMBus
    kinds: frozenset[UUID] | None

    def takes(self, kind: UUID) -> bool:
        """vmbus_is_valid_offer(): whether a device of that interface type may appear."""
        return self.kinds is None or kind in self.kinds


NONE: Final = Isolation(config_by_calls=False, hardened_only=False, kinds=None)
CVM: Final = Isolation(config_by_calls=True, hardened_only=True, kinds=ALLOWED_IN_ISOLATED)

ISOLATIONS: Final[Mapping[str, Isolation]] = MappingProxyType({"none": NONE, "cvm": CVM})
