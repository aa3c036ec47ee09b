# SPDX-License-Identifier: MIT
"""The rows of each capability we know. Offsets are relative to the capability's start.

A table and nothing else: which bits software may change, after the PCIe base specification and
Linux's ``pci_regs.h``. Read-only on purpose: what a virtual machine does not manage (SR-IOV
control, BAR resizing, VPD access), header logs and vendor-specific space.
"""

from collections.abc import Mapping
from typing import NamedTuple

from protocol.pci_regs import Register

PCI_MSI_FLAGS_ENABLE = 0x0001
PCI_MSI_FLAGS_QMASK = 0x000E  # log2 of the vectors the function asks for
PCI_MSI_FLAGS_QSIZE = 0x0070  # log2 of the vectors it was given
PCI_MSI_FLAGS_64BIT = 0x0080
PCI_MSI_FLAGS_MASKBIT = 0x0100
PCI_MSIX_FLAGS_QSIZE = 0x07FF  # number of table entries minus one
PCI_MSIX_FLAGS_MASKALL = 0x4000
PCI_MSIX_FLAGS_ENABLE = 0x8000
PCI_EXP_DEVCTL_BCR_FLR = 0x8000


class Layout(NamedTuple):
    """A kind of capability: its id, the name ``lspci`` gives it, its rows.

    ``registers`` leaves out the header (id, next pointer, version), which is always read-only.
    """

    id: int
    name: str
    registers: tuple[Register, ...]


def msi_layout(control: int) -> Layout:
    """MSI's rows for the variant its message control announces (64-bit, per-vector masking)."""
    data = 0x0C if control & PCI_MSI_FLAGS_64BIT else 0x08
    vectors = min(1 << ((control & PCI_MSI_FLAGS_QMASK) >> 1), 32)
    rows = [
        Register("control", 0x02, 2, rw=PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE),
        Register("address", 0x04, 4, rw=0xFFFF_FFFC),
    ]
    if control & PCI_MSI_FLAGS_64BIT:
        rows.append(Register("address_high", 0x08, 4, rw=0xFFFF_FFFF))
    rows.append(Register("data", data, 2, rw=0xFFFF))
    if control & PCI_MSI_FLAGS_MASKBIT:
        rows.append(Register("mask", data + 4, 4, rw=(1 << vectors) - 1))
        rows.append(Register("pending", data + 8, 4))
    return Layout(0x05, "MSI", tuple(rows))


POWER_MANAGEMENT = Layout(
    0x01,
    "Power Management version 3",
    (
        Register("capabilities", 0x02, 2),
        # Power state, PME enable, data select. Model: a function in D3hot answers as in D0.
        Register("control", 0x04, 2, rw=0x1F03, w1c=0x8000),
        Register("bridge", 0x06, 1),
        Register("data", 0x07, 1),
    ),
)
MSIX = Layout(
    0x11,
    "MSI-X",
    (
        Register("control", 0x02, 2, rw=PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL),
        Register("table", 0x04, 4),
        Register("pba", 0x08, 4),
    ),
)
EXPRESS = Layout(
    0x10,
    "Express (v2) Endpoint",
    (
        Register("capabilities", 0x02, 2),
        Register("device_capabilities", 0x04, 4),
        # Bit 15 starts a function-level reset and always reads 0; the host acts on the write.
        Register("device_control", 0x08, 2, rw=0x7FFF),
        Register("device_status", 0x0A, 2, w1c=0x000F),
        Register("link_capabilities", 0x0C, 4),
        Register("link_control", 0x10, 2, rw=0x01CB),
        Register("link_status", 0x12, 2),
        Register("device_capabilities_2", 0x24, 4),
        Register("device_control_2", 0x28, 2, rw=0xF7FF),
        Register("device_status_2", 0x2A, 2),
        Register("link_capabilities_2", 0x2C, 4),
        Register("link_control_2", 0x30, 2, rw=0xFFFF),
        Register("link_status_2", 0x32, 2, w1c=0x0020),
    ),
)
VITAL_PRODUCT_DATA = Layout(0x03, "Vital Product Data", (Register("address", 0x02, 2),))
VENDOR_SPECIFIC = Layout(0x09, "Vendor Specific Information", (Register("length", 0x02, 1),))
ENHANCED_ALLOCATION = Layout(0x14, "Enhanced Allocation (EA)", (Register("entry_count", 0x02, 1),))

ADVANCED_ERRORS = Layout(
    0x01,
    "Advanced Error Reporting",
    (
        Register("uncorrectable_status", 0x04, 4, w1c=0x07FF_F030),
        Register("uncorrectable_mask", 0x08, 4, rw=0x07FF_F030),
        Register("uncorrectable_severity", 0x0C, 4, rw=0x07FF_F030),
        Register("correctable_status", 0x10, 4, w1c=0x0000_F1C1),
        Register("correctable_mask", 0x14, 4, rw=0x0000_F1C1),
        Register("control", 0x18, 4, rw=0x0000_0540),  # ECRC generation and check, multiple headers
    ),
)
SERIAL_NUMBER = Layout(
    0x03,
    "Device Serial Number",
    (Register("serial_low", 0x04, 4), Register("serial_high", 0x08, 4)),
)
ACCESS_CONTROL = Layout(
    0x0D,
    "Access Control Services",
    (Register("capabilities", 0x04, 2), Register("control", 0x06, 2, rw=0x007F)),
)
ALTERNATIVE_ROUTING = Layout(
    0x0E,
    "Alternative Routing-ID Interpretation (ARI)",
    (Register("capabilities", 0x04, 2), Register("control", 0x06, 2, rw=0x0073)),
)
ADDRESS_TRANSLATION = Layout(
    0x0F,
    "Address Translation Service (ATS)",
    (Register("capabilities", 0x04, 2), Register("control", 0x06, 2, rw=0x801F)),
)
SRIOV = Layout(
    0x10,
    "Single Root I/O Virtualization (SR-IOV)",
    (
        # Model: an assigned function keeps its SR-IOV capability but a guest makes no VFs with it.
        Register("capabilities", 0x04, 4),
        Register("control", 0x08, 2),
        Register("status", 0x0A, 2),
        Register("initial_vfs", 0x0C, 2),
        Register("total_vfs", 0x0E, 2),
        Register("num_vfs", 0x10, 2),
        Register("dependency_link", 0x12, 1),
        Register("vf_offset", 0x14, 2),
        Register("vf_stride", 0x16, 2),
        Register("vf_device_id", 0x1A, 2),
        Register("supported_page_sizes", 0x1C, 4),
        Register("system_page_size", 0x20, 4),
        *(Register(f"vf_bar{index}", 0x24 + 4 * index, 4) for index in range(6)),
    ),
)
RESIZABLE_BAR = Layout(
    0x15,
    "Physical Resizable BAR",
    # Model: a BAR keeps the size it was assigned with. Further entries follow 8 bytes apart.
    (Register("capability", 0x04, 4), Register("control", 0x08, 4)),
)
TPH_REQUESTER = Layout(
    0x17,
    "Transaction Processing Hints",
    (Register("capability", 0x04, 4), Register("control", 0x08, 4, rw=0x0000_0307)),
)
LATENCY_TOLERANCE = Layout(
    0x18,
    "Latency Tolerance Reporting",
    (Register("snoop", 0x04, 2, rw=0x1FFF), Register("no_snoop", 0x06, 2, rw=0x1FFF)),
)
SECONDARY_EXPRESS = Layout(
    0x19,
    "Secondary PCI Express",
    (
        Register("link_control_3", 0x04, 4, rw=0x0000_0003),
        Register("lane_error_status", 0x08, 4, w1c=0xFFFF_FFFF),
    ),
)
PROCESS_SPACE_ID = Layout(
    0x1B,
    "Process Address Space ID (PASID)",
    (Register("capabilities", 0x04, 2), Register("control", 0x06, 2, rw=0x0007)),
)
L1_SUBSTATES = Layout(
    0x1E,
    "L1 PM Substates",
    (
        Register("capabilities", 0x04, 4),
        Register("control_1", 0x08, 4, rw=0xE3FF_FF0F),
        Register("control_2", 0x0C, 4, rw=0x0000_00FB),
    ),
)
DATA_LINK_FEATURE = Layout(
    0x25,
    "Data Link Feature",
    (Register("capabilities", 0x04, 4, rw=0x8000_0000), Register("status", 0x08, 4)),
)

# Shown by name, but with no row: all their registers read what the device held at assignment.
_NAMED_STANDARD: Mapping[int, str] = {
    0x00: "Null",
    0x02: "AGP",
    0x04: "Slot ID",
    0x06: "CompactPCI hot-swap",
    0x07: "PCI-X",
    0x08: "HyperTransport",
    0x0A: "Debug port",
    0x0D: "Subsystem",
    0x12: "SATA HBA",
    0x13: "PCI Advanced Features",
}
_NAMED_EXTENDED: Mapping[int, str] = {
    0x00: "Null",
    0x02: "Virtual Channel",
    0x04: "Power Budgeting",
    0x0B: "Vendor Specific Information",
    0x12: "Multicast",
    0x13: "Page Request Interface (PRI)",
    0x16: "Dynamic Power Allocation",
    0x1D: "Downstream Port Containment",
    0x1F: "Precision Time Measurement",
    0x23: "Designated Vendor-Specific",
    0x24: "VF Resizable BAR",
    0x26: "Physical Layer 16.0 GT/s",
    0x27: "Lane Margining at the Receiver",
    0x2A: "Physical Layer 32.0 GT/s",
    0x2E: "Data Object Exchange",
}


def _by_id(layouts: tuple[Layout, ...], named: Mapping[int, str]) -> Mapping[int, Layout]:
    return {cap_id: Layout(cap_id, name, ()) for cap_id, name in named.items()} | {
        layout.id: layout for layout in layouts
    }


# MSI is listed in its largest form; ``protocol.pci_caps.layout_of`` picks the real variant.
STANDARD: Mapping[int, Layout] = _by_id(
    (
        POWER_MANAGEMENT,
        VITAL_PRODUCT_DATA,
        msi_layout(PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT),
        VENDOR_SPECIFIC,
        EXPRESS,
        MSIX,
        ENHANCED_ALLOCATION,
    ),
    _NAMED_STANDARD,
)
EXTENDED: Mapping[int, Layout] = _by_id(
    (
        ADVANCED_ERRORS,
        SERIAL_NUMBER,
        ACCESS_CONTROL,
        ALTERNATIVE_ROUTING,
        ADDRESS_TRANSLATION,
        SRIOV,
        RESIZABLE_BAR,
        TPH_REQUESTER,
        LATENCY_TOLERANCE,
        SECONDARY_EXPRESS,
        PROCESS_SPACE_ID,
        L1_SUBSTATES,
        DATA_LINK_FEATURE,
    ),
    _NAMED_EXTENDED,
)
