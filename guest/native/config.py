# SPDX-License-Identifier: MIT
"""The kernel's configuration as rows with reasons: what ``autoconf.h`` would say.

Knows no tree. Rows that a version does not know do no harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# Switched on. What each group is for is its name.
_ON: Final[Mapping[str, tuple[str, ...]]] = {
    "the machine": (
        *("64BIT", "X86", "X86_64", "SMP", "MMU", "X86_LOCAL_APIC", "X86_X2APIC", "X86_IO_APIC"),
        *("PHYS_ADDR_T_64BIT", "ARCH_DMA_ADDR_T_64BIT", "HAVE_PAGE_SIZE_4KB", "PAGE_SIZE_4KB"),
        *("HOTPLUG_CPU", "NUMA", "SPARSEMEM", "SPARSEMEM_VMEMMAP", "SPARSEMEM_EXTREME", "SLUB"),
    ),
    "what is compiled": (
        *("HYPERV", "HYPERV_VMBUS", "HYPERVISOR_GUEST", "PCI", "PCI_MSI", "PCI_HYPERV"),
        "PCI_HYPERV_INTERFACE",
        *("PCI_DOMAINS", "GENERIC_MSI_IRQ", "GENERIC_MSI_IRQ_DOMAIN", "PCI_MSI_IRQ_DOMAIN"),
        *("IRQ_DOMAIN", "IRQ_DOMAIN_HIERARCHY", "SPARSE_IRQ", "IRQ_MSI_LIB", "GENERIC_PENDING_IRQ"),
        *("GENERIC_IRQ_EFFECTIVE_AFF_MASK", "GENERIC_IRQ_RESERVATION_MODE", "GENERIC_IOMAP"),
        *("GENERIC_IRQ_MATRIX_ALLOCATOR", "GENERIC_IRQ_MIGRATION", "HARDIRQS_SW_RESEND"),
        *(
            "ACPI",
            "PM",
            "PM_SLEEP",
            "HIBERNATE_CALLBACKS",
            "SYSFS",
            "PRINTK",
            "BUG",
            "GENERIC_BUG",
            "MODULES",
        ),
    ),
    "preemption wherever Linux allows it: the most orders": (
        *("PREEMPT", "PREEMPTION", "PREEMPT_BUILD", "PREEMPT_COUNT", "PREEMPT_RCU", "TREE_RCU"),
        "TREE_SRCU",
    ),
    "hooks: names of locks, unlocks as calls, accesses in assembly": (
        *("DEBUG_SPINLOCK", "UNINLINE_SPIN_UNLOCK", "DEBUG_LIST", "LIST_HARDENED", "KCSAN"),
    ),
    "addresses: page tables' layout at run time, so that physical is virtual": (
        "DYNAMIC_MEMORY_LAYOUT",
    ),
    "what x86 always selects": (
        *("HAVE_ARCH_WITHIN_STACK_FRAMES", "HAVE_ARCH_THREAD_STRUCT_WHITELIST", "UNWINDER_ORC"),
        *("ARCH_HAS_PTE_SPECIAL", "MODULES_USE_ELF_RELA", "HAVE_ARCH_PFN_VALID", "GENERIC_ENTRY"),
        *("HAVE_MOD_ARCH_SPECIFIC", "ARCH_HAS_MEM_ENCRYPT", "ARCH_WANT_BATCHED_UNMAP_TLB_FLUSH"),
        *("THREAD_INFO_IN_TASK", "GENERIC_CLOCKEVENTS", "HIGH_RES_TIMERS", "SECCOMP"),
        *("SECCOMP_FILTER", "SWIOTLB", "HAVE_ALIGNED_STRUCT_PAGE", "HZ_250"),
        *("HAVE_STATIC_CALL", "CC_IS_GCC", "CC_HAS_ASM_INLINE", "CC_HAS_ASM_GOTO_OUTPUT"),
    ),
}

_VALUES: Final[Mapping[str, str]] = {
    "NR_CPUS": "256",
    "NODES_SHIFT": "6",
    "HZ": "250",
    "PGTABLE_LEVELS": "4",
    "PAGE_SHIFT": "12",
    "X86_L1_CACHE_SHIFT": "6",
    "X86_INTERNODE_CACHE_SHIFT": "6",
    "BASE_SMALL": "0",
    "DEFAULT_CONSOLE_LOGLEVEL": "7",
    "MESSAGE_LOGLEVEL_DEFAULT": "4",
    "LOG_BUF_SHIFT": "17",
    "RCU_CPU_STALL_TIMEOUT": "21",
    "DRIVER_DEFERRED_PROBE_TIMEOUT": "0",
    "PHYSICAL_START": "0x1000000",
    "PHYSICAL_ALIGN": "0x200000",
    "ILLEGAL_POINTER_VALUE": "0xdead000000000000",
}

CONFIG: Final[Mapping[str, str]] = MappingProxyType(
    {**{name: "1" for names in _ON.values() for name in names}, **_VALUES}
)


def autoconf(gcc_version: int) -> str:
    """The header's text; ``gcc_version`` as Kconfig has it, 120200 for 12.2.0."""
    rows = {**CONFIG, "GCC_VERSION": str(gcc_version)}
    return "".join(f"#define CONFIG_{name} {value}\n" for name, value in sorted(rows.items()))
