# SPDX-License-Identifier: MIT
"""The headers that a kernel's own build would generate, from what the tree says about them.

Most are one line that includes the generic one: which, the tree's Kbuild files list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from guest.native.config import CONFIG, autoconf
from guest.native.errors import BuildError
from guest.native.keeping import content_digest, digest_of, write_whole

# (folder of the headers, Kbuild of the architecture, Kbuild of the generic ones, where to put them)
_WRAPPED = (
    ("arch/x86/include/asm", "include/asm-generic/Kbuild", "arch"),
    ("arch/x86/include/uapi/asm", "include/uapi/asm-generic/Kbuild", "arch-uapi"),
)

# System calls: nobody here makes one, so their numbers stay away.
_EMPTY = (
    *(f"arch-uapi/asm/unistd_{abi}.h" for abi in ("64", "32", "x32")),
    *(f"arch/asm/{name}.h" for name in ("unistd_64_x32", "unistd_32_ia32", "syscalls_64")),
    "arch/asm/syscalls_32.h",
    "include/generated/timeconst.h",
)

# Sizes that the kernel's build finds out by compiling; they must fit the configuration.
_BOUNDS: Final = {
    "NR_PAGEFLAGS": 24,
    "MAX_NR_ZONES": 4,
    "NR_CPUS_BITS": int(CONFIG["NR_CPUS"]).bit_length(),
    "SPINLOCK_SIZE": 24,
    "LRU_GEN_WIDTH": 0,
    "__LRU_REFS_WIDTH": 0,
}

# Sizes of what instructions in C say to the linker about themselves (newer kernels).
_OFFSETS: Final = {"ALT_INSTR_SIZE": 14, "EXTABLE_SIZE": 12}

# Where the shim's run queue has what a newer kernel's build looks up in the scheduler's.
_RUN_QUEUE: Final = {"RQ_nr_pinned": 0}

# What came into stable releases at different times, so that the version does not tell: the name
# that our shim asks for, and where the tree has what.
_FEATURES: Final = {
    "VX_DEVICE_HAS_DRIVER_OVERRIDE": ("include/linux/device.h", "device_set_driver_override"),
    "VX_CACHES_HAVE_SHEAVES": ("include/linux/slab.h", "kmem_cache_prefill_sheaf"),
    "VX_HAS_PCPU_HOT": ("arch/x86/include/asm/current.h", "struct pcpu_hot"),
    "VX_PCI_CORE_HAS_EMULATED_DOMAINS": ("include/linux/pci.h", "pci_bus_find_emul_domain_nr"),
    "VX_VMBUS_HAS_HYPERVISOR_PAGES": ("drivers/hv/hyperv_vmbus.h", "hyp_synic_message_page"),
    "VX_HYPERCALLS_ARE_STATIC_CALLS": ("arch/x86/include/asm/mshyperv.h", "DECLARE_STATIC_CALL"),
    "VX_KVMALLOC_ALIGNS": ("include/linux/slab.h", "kvmalloc_node_align"),
    "VX_MUTEX_INIT_IS_INLINE": ("include/linux/mutex.h", "mutex_init_generic"),
    "VX_SYSFS_KNOWS_NAMESPACES": ("include/linux/sysfs.h", "const struct ns_common *ns"),
    "VX_SYSFS_GROUPS_ARE_CONST": (
        "include/linux/sysfs.h",
        "const struct attribute_group *const *groups",
    ),
    "VX_PM_BARRIER_SAYS_NOTHING": ("include/linux/pm_runtime.h", "void pm_runtime_barrier"),
    "VX_PM_BLOCK_SAYS_WHETHER": ("include/linux/pm_runtime.h", "bool pm_runtime_block_if_disabled"),
    "VX_TIMERS_ARE_DELETED": ("include/linux/timer.h", "timer_delete_sync_try"),
    "VX_WORKQUEUES_ARE_PROFILED": ("include/linux/workqueue.h", "alloc_workqueue_noprof"),
}


def version_of(tree: Path) -> tuple[int, int, int]:
    """The kernel's version, from its Makefile. Raises :class:`BuildError` if that says none."""
    try:
        text = (tree / "Makefile").read_text()
    except OSError as error:
        raise BuildError(f"{tree}: no Linux tree: {error.strerror}: Makefile") from None
    numbers = [
        re.search(rf"^{name} = (\d+)", text, re.MULTILINE)
        for name in ("VERSION", "PATCHLEVEL", "SUBLEVEL")
    ]
    if not all(numbers):
        raise BuildError(f"{tree}: no Linux tree: its Makefile names no version")
    major, minor, patch = (int(number[1]) for number in numbers if number)
    return major, minor, patch


def write_headers(tree: Path, gcc_version: int, cache: Path) -> Path:
    """Put the generated headers into a folder below ``cache``, which their content names."""
    files = generated(tree, gcc_version)
    folder = cache / digest_of(repr(sorted(files.items())).encode())
    for name, text in files.items():
        data = text.encode()
        if content_digest(folder / name) != digest_of(data):
            write_whole(folder / name, data)
    return folder


def generated(tree: Path, gcc_version: int) -> dict[str, str]:
    """Every generated header: its path below the folder of generated ones, and its text."""
    major, minor, patch = version_of(tree)
    return {
        **dict(_wrappers(tree)),
        **dict.fromkeys(_EMPTY, ""),
        "include/generated/autoconf.h": autoconf(gcc_version),
        "include/generated/asm-offsets.h": _defines(_OFFSETS),
        "include/generated/bounds.h": _defines(_BOUNDS),
        "include/generated/rq-offsets.h": _defines(_RUN_QUEUE),
        "include/generated/utsrelease.h": f'#define UTS_RELEASE "{major}.{minor}.{patch}"\n',
        "include/generated/vx-features.h": _features(tree),
        "include/generated/uapi/linux/version.h": (
            f"#define LINUX_VERSION_CODE {major << 16 | minor << 8 | min(patch, 255)}\n"
            "#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + ((c) > 255 ? 255 : (c)))\n"
        ),
    }


def _defines(values: Mapping[str, int]) -> str:
    return "".join(f"#define {name} {int(value)}\n" for name, value in values.items())


def _features(tree: Path) -> str:
    return _defines({name: _says(tree / file, what) for name, (file, what) in _FEATURES.items()})


def _says(header: Path, what: str) -> bool:
    return header.exists() and what in header.read_text()


def _wrappers(tree: Path) -> Iterator[tuple[str, str]]:
    for folder, generic, out in _WRAPPED:
        wanted = _listed(tree / folder / "Kbuild", "generic-y")
        wanted |= _listed(tree / generic, "mandatory-y")
        for name in sorted(wanted):
            if not (tree / folder / name).exists():
                yield f"{out}/asm/{name}", f"#include <asm-generic/{name}>\n"


def _listed(kbuild: Path, key: str) -> set[str]:
    """The headers that a Kbuild file lists under a key; none where there is no such file."""
    if not kbuild.exists():
        return set()
    return set(re.findall(rf"^{key}\s*\+=\s*(\S+)", kbuild.read_text(), re.MULTILINE))
