# SPDX-License-Identifier: MIT
"""What stands for a guest's port in tests: the registers that only arm64 has."""

from __future__ import annotations

from protocol.ids import VpIndex


class X86Port:
    """The part of a HostPort that a guest on x86 never touches."""

    def read_iar(self, vp: VpIndex) -> int:
        raise AssertionError(f"VP {vp} has no ICC_IAR1_EL1")

    def write_eoir(self, intid: int) -> None:
        raise AssertionError(f"no ICC_EOIR1_EL1 for {intid}")
