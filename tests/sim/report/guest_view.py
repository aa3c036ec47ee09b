# SPDX-License-Identifier: MIT
"""A function as a Linux guest sees it once its driver is bound, without any guest.

Does what the PCI core and pci-hyperv do to the registers: assigns and enables BARs, turns on
interrupts, overlays the identity from relations and reads 0 where the driver answers itself.
"""

from host.function import Function
from protocol.pci_caps import PCI_CAP_ID_MSI, PCI_CAP_ID_MSIX, find_capability
from protocol.pci_regs import CONFIG_BYTES, PCI_COMMAND
from sim.report.lspci import PciAddress, SeenBar, SeenFunction

LOW_MMIO, HIGH_MMIO = 0xF800_0000, 0x10_0000_0000
ADDRESS = PciAddress(0xB0E1, 0, 0, 0)


def assign_bars(function: Function) -> None:
    """Give each BAR an address aligned to its size, then turn decoding and mastering on."""
    low, high = LOW_MMIO, HIGH_MMIO
    for bar in function.profile.bars:
        if bar.bits == 64:
            base = high = -(-high // bar.size_bytes) * bar.size_bytes
            high += bar.size_bytes
            function.write(bar.offset + 4, 4, base >> 32)
        else:
            base = low = -(-low // bar.size_bytes) * bar.size_bytes % (1 << 32) or bar.size_bytes
            low += bar.size_bytes
        function.write(bar.offset, 4, base & 0xFFFF_FFFF)
    function.write(PCI_COMMAND, 2, 0x0406)


def enable_interrupts(function: Function) -> None:
    """As a driver with one vector would: MSI-X where there is one, else MSI."""
    config = function.profile.config
    msix, msi = find_capability(config, PCI_CAP_ID_MSIX), find_capability(config, PCI_CAP_ID_MSI)
    if msix is not None:
        function.write(msix + 2, 2, 0x8000)
    elif msi is not None:
        function.write(msi + 4, 4, 0xFEE0_2000)
        function.write(msi + 2, 2, 0x0001)


def seen_by_guest(function: Function) -> SeenFunction:
    """What the guest's own reads of ``function`` give."""
    config = bytearray(
        b"".join(function.read(at, 4).to_bytes(4, "little") for at in range(0, CONFIG_BYTES, 4))
    )
    identity = function.profile.identity
    config[0x00:0x04] = (identity.d_id << 16 | identity.v_id).to_bytes(4, "little")
    config[0x2C:0x30] = identity.subsystem_id.to_bytes(4, "little")
    config[0x30:0x34] = bytes(4)
    config[0x3C:0x3E] = bytes(2)
    bases = {window.bar: window.base for window in function.windows()}
    bars = tuple(SeenBar(bar, bases.get(bar.index, 0)) for bar in function.profile.bars)
    return SeenFunction(ADDRESS, bars, bytes(config))


def bound(function: Function) -> SeenFunction:
    """All of the above."""
    assign_bars(function)
    enable_interrupts(function)
    return seen_by_guest(function)
