# SPDX-License-Identifier: MIT
"""Which of the tree's files are compiled, unmodified, and how. Knows no compiler.

The more of the kernel is its own, the less of it we can get wrong: VMBus, the PCI core, the driver
core and the interrupt core are the tree's. Below them stands our shim.
"""

from __future__ import annotations

from typing import Final

DRIVER: Final = "drivers/pci/controller/pci-hyperv.c"

# Whose every memory access is looked at (the compiler's hooks for that are ours).
WATCHED: Final = (
    *(
        f"drivers/hv/{name}.c"
        for name in (
            *(
                "vmbus_drv",
                "hv",
                "hv_common",
                "connection",
                "channel",
                "channel_mgmt",
                "ring_buffer",
            ),
        )
    ),
    "drivers/pci/controller/pci-hyperv-intf.c",
    *(
        f"drivers/pci/{name}.c"
        for name in (
            *(
                "access",
                "bus",
                "probe",
                "host-bridge",
                "remove",
                "pci",
                "pci-driver",
                "search",
                "rom",
            ),
            *("setup-res", "setup-bus", "irq", "slot", "vpd", "vc", "rebar"),
        )
    ),
    *(f"drivers/pci/msi/{name}.c" for name in ("msi", "api", "irqdomain", "pcidev_msi")),
    *(
        f"drivers/base/{name}.c"
        for name in (*("core", "bus", "dd", "driver", "class", "devres", "platform"),)
    ),
    "drivers/base/syscore.c",
    *(f"drivers/base/power/{name}.c" for name in ("main", "generic_ops")),
    *(
        f"kernel/irq/{name}.c"
        for name in (
            *("msi", "irqdomain", "chip", "handle", "irqdesc", "manage", "migration", "resend"),
            *("spurious", "affinity", "matrix", "cpuhotplug", "pm"),
        )
    ),
    "drivers/irqchip/irq-msi-lib.c",
    "kernel/resource.c",
    "kernel/notifier.c",
    "arch/x86/kernel/apic/vector.c",
)

# Whose variables somebody with a debugger asks for: the driver's and VMBus's.
IN_DETAIL: Final = "drivers/hv/"

# Helpers without shared state of their own.
LIBRARY: Final = tuple(
    f"lib/{name}.c"
    for name in (
        *("find_bit", "bitmap", "bitmap-str", "cpumask", "xarray", "radix-tree", "maple_tree"),
        *("idr", "rbtree", "sort", "list_sort", "string", "refcount", "kobject"),
        *("group_cpus", "klist", "kasprintf", "ctype", "vsprintf", "kstrtox", "cmdline", "uuid"),
        *("string_helpers", "hexdump", "math/reciprocal_div"),
    )
)

# Files that some of the versions we build do not have yet, or have elsewhere.
MAY_BE_ABSENT: Final = frozenset(
    {
        "drivers/pci/msi/api.c",
        "drivers/pci/rebar.c",
        "drivers/irqchip/irq-msi-lib.c",
        "lib/bitmap-str.c",
        "lib/group_cpus.c",
        "kernel/irq/matrix.c",
    }
)

# What has to be unpacked of an archive: folders, with what the files above include.
FOLDERS: Final = (
    *("include", "arch/x86/include", "drivers/hv", "drivers/pci", "drivers/base", "kernel/irq"),
    *("lib", "arch/x86/kernel/apic"),
)
HEADER_FOLDERS: Final = ("mm", "kernel")
FILES: Final = (
    *("Makefile", "kernel/resource.c", "kernel/notifier.c"),
    *("drivers/irqchip/irq-msi-lib.c", "drivers/irqchip/irq-msi-lib.h"),
)
