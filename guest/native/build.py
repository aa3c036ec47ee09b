# SPDX-License-Identifier: MIT
"""From a Linux tree to a shared object that holds the driver, the kernel around it and our shim.

No kbuild and no root: the tree's files are compiled one by one with the headers that its own build
would have generated. What the kernel's files name and nothing provides becomes a stub that says so
when it is reached.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple

from guest.native.compiler import Compiler, find_compiler
from guest.native.errors import BuildError
from guest.native.headers import generated, version_of
from guest.native.objects import ObjectStore, Unit, temporary
from guest.native.sources import DRIVER, LIBRARY, MAY_BE_ABSENT, WATCHED
from guest.native.tree import open_tree

HERE: Final = Path(__file__).parent
CORE: Final = (
    "sched.c",
    "notes.c",
    "names.c",
    "arena.c",
    "hooks.c",
    "gs_x86_64.c",
    "snapshot.c",
    "crash.c",
    "stacks.c",
    "watch.c",
    "calls.c",
    "watchdog.c",
    "lost.c",
)
# Plays whole schedules; unlike the core it needs the shim's kernel.
ENGINE: Final = (
    *("runners.c", "clock.c", "known.c", "inputs.c", "effects.c", "choose.c", "engine.c"),
)
ASSEMBLY: Final = ("switch_x86_64.S", "watch_x86_64.S")
SHIM: Final = (
    *(
        "waiting.c",
        "spinlock.c",
        "mutex.c",
        "completion.c",
        "waitqueue.c",
        "mm.c",
        "workqueue.c",
        "tasklet.c",
        "timer.c",
        "cpu.c",
        "time.c",
        "numa.c",
        "string.c",
        "faults.c",
        "video.c",
        "isolation.c",
        "regions.c",
        "hotplug.c",
        "hv.c",
        "acpi.c",
        "apic.c",
        "print.c",
        "sysfs.c",
    ),
    *(
        "boot.c",
        "synic.c",
        "misc.c",
        "rcu.c",
        "lists.c",
        "firmware.c",
        "pci_parts.c",
        "drivers.c",
        "driver_steps.c",
        "driver_queues.c",
        "driver_blocks.c",
        "wire.c",
        "events.c",
        "tell_interrupts.c",
    ),
    *("files.c", "module.c", "shell.c", "lspci.c", "shell_buses.c", "shell_functions.c"),
    *(
        "shell_machine.c",
        "freezer.c",
        "hibernate.c",
        "cpu_updown.c",
        "takedown.c",
        "power.c",
        "panic.c",
    ),
)
# Of ours, with the driver's own types; what it looks at is not looked at again.
TELLING: Final = ("tell_bus.c", "tell_children.c", "tell_messages.c", "tell_msi.c", "census.c")

# What the C library gives; everything else that is undefined is the kernel's.
_LIBC: Final = frozenset(
    {
        "sigaction",
        "sigaltstack",
        "ftruncate",
        "getpid",
        "setitimer",
        "getauxval",
        "memfd_create",
        "mmap",
        "mprotect",
        "syscall",
    }
)

_LINKERS: Final = frozenset({"_GLOBAL_OFFSET_TABLE_", "__ehdr_start", "_end"})

_KERNEL_FLAGS: Final = (
    *("-D__KERNEL__", "-std=gnu11", "-fshort-wchar", "-funsigned-char", "-fno-common"),
    *(
        "-fno-strict-aliasing",
        "-fms-extensions",
        "-Werror=implicit-function-declaration",
        "-fPIC",
        "-O1",
        "-gdwarf-4",
        "-w",
        "-nostdinc",
    ),
    *("-fno-omit-frame-pointer", "-mno-red-zone", "-mgeneral-regs-only"),
    *("-ffunction-sections", "-fdata-sections"),
    *("-fstack-protector-strong", "-mstack-protector-guard=global"),
)
# Every access becomes a call of ours; calls stay calls, under their own names, so that frames and
# allocations tell who called.
WATCHED_FLAGS: Final = (
    *("-fsanitize=thread", "--param", "tsan-distinguish-volatile=1"),
    *("-fno-optimize-sibling-calls", "-fno-inline-functions-called-once", "-fno-ipa-sra"),
    *("-fno-inline-small-functions", "-pg", "-mfentry"),  # every function says that it begins
)
CORE_FLAGS: Final = (
    *("-O2", "-g", "-fPIC", "-fvisibility=hidden", "-fno-omit-frame-pointer", "-Wall", "-Wextra"),
    "-Werror",
)


class Build(NamedTuple):
    """A built driver. ``real_files`` are those of the tree; ``stubs`` what nothing provides."""

    tree: Path
    version: str
    driver_file: Path
    shared_object: Path
    cached: bool
    seconds: float
    real_files: tuple[str, ...]
    stubs: tuple[str, ...]


def build(path: Path, *, cache: Path, driver_file: Path | None = None) -> Build:
    """Build the driver of a tree, or a changed copy of it against that tree.

    Raises :class:`BuildError` for what the machine or the tree lacks.
    """
    with one_at_a_time(cache):
        return _build(path, cache, driver_file)


@contextmanager
def one_at_a_time(cache: Path) -> Iterator[None]:
    """Wait for whoever is building into this folder: what they make is then there to be used.

    The lock is the system's, so that it goes with a process that is killed.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "building.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        yield


def _build(path: Path, cache: Path, driver_file: Path | None) -> Build:
    begin = perf_counter()
    compiler = find_compiler()
    tree = open_tree(path, cache)
    driver = (driver_file or tree / DRIVER).resolve()
    if not driver.is_file():
        raise BuildError(f"{driver}: no such driver file")
    maker = _Maker(tree, driver, compiler, cache)
    units = list(maker.units())
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(maker.store.compile, units))
    stubs = _missing(objects)
    shared_object, cached = maker.link(objects, stubs)
    return Build(
        tree=path,
        version=".".join(map(str, version_of(tree))),
        driver_file=driver,
        shared_object=shared_object,
        cached=cached,
        seconds=perf_counter() - begin,
        real_files=tuple(maker.real_files()),
        stubs=tuple(stubs),
    )


class _Maker:
    """What is compiled for one driver and one tree, and with which flags."""

    def __init__(self, tree: Path, driver: Path, compiler: Compiler, cache: Path) -> None:
        self._tree = tree
        self._driver = driver
        self._compiler = compiler
        self._cache = cache
        overlay = HERE / "overlay"
        names = sorted(str(path.relative_to(overlay)) for path in overlay.rglob("*.h"))
        self.store = ObjectStore(cache / "objects", compiler, names)
        self._headers = self._write_headers()

    def _write_headers(self) -> Path:
        """The generated headers, in a folder named by what is in them."""
        files = generated(self._tree, self._compiler.kconfig_version)
        key = sha256(repr(sorted(files.items())).encode()).hexdigest()[:16]
        folder = self._cache / "headers" / key
        for name, text in files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                target.write_text(text)
        return folder

    def _includes(self) -> tuple[str, ...]:
        tree, made = self._tree, self._headers
        folders = (
            *(HERE / "overlay", tree / "arch/x86/include", made / "arch", tree / "include"),
            *(made / "include", tree / "arch/x86/include/uapi", made / "arch-uapi"),
            *(tree / "include/uapi", made / "include/generated/uapi"),
        )
        first = (
            *(HERE / "overlay/hidden.h", tree / "include/linux/compiler-version.h"),
            *(tree / "include/linux/kconfig.h", tree / "include/linux/compiler_types.h"),
        )
        flags = [f"-I{folder}" for folder in folders]
        for header in first:
            flags += ["-include", str(header)]
        return tuple(flags)

    def _flags(self, source: Path) -> tuple[str, ...]:
        module = source.stem.replace("-", "_")
        return (
            *self._includes(),
            *_KERNEL_FLAGS,
            *(f'-DKBUILD_{key}="{module}"' for key in ("MODNAME", "BASENAME", "MODFILE")),
            f"-D__KBUILD_MODNAME={module}",
            f"-I{source.parent}",
            f"-I{self._tree / 'kernel'}",
        )

    def real_files(self) -> Iterable[str]:
        """The tree's own files that this version has, and the driver."""
        for name in (*WATCHED, *LIBRARY):
            if name not in MAY_BE_ABSENT or (self._tree / name).exists():
                yield name
        yield DRIVER

    def units(self) -> Iterable[Unit]:
        """Everything to compile, the largest first."""
        for name in self.real_files():
            if name == DRIVER:
                continue
            source = self._tree / name
            watched = WATCHED_FLAGS if name in WATCHED else ()
            yield Unit(name, source, (*self._flags(source), *watched))
        wrapper = HERE / "shim/driver.c"
        driver = (
            *self._flags(self._driver),
            f'-DVX_DRIVER="{self._driver}"',
            f"-I{(self._tree / DRIVER).parent}",
        )
        yield Unit(str(self._driver), wrapper, (*driver, *WATCHED_FLAGS))
        for name in TELLING:
            flags = (*driver, "-fno-builtin", f"-I{self._tree / 'drivers/hv'}")
            yield Unit(name, HERE / "shim" / name, flags)
        for name in SHIM:
            source = HERE / "shim" / name
            flags = (*self._flags(source), "-fno-builtin", f"-I{self._tree / 'drivers/hv'}")
            yield Unit(name, source, flags)
        for name in (*CORE, *ENGINE):
            yield Unit(name, HERE / "core" / name, CORE_FLAGS)
        for name in ASSEMBLY:
            yield Unit(name, HERE / "core" / name, ())

    def link(self, objects: Sequence[Path], stubs: Sequence[str]) -> tuple[Path, bool]:
        """The shared object, and whether it was there already."""
        script = HERE / "shim/kernel.ld"
        parts = [*(path.read_bytes() for path in objects), script.read_bytes()]
        key = sha256(b"".join(sha256(part).digest() for part in parts)).hexdigest()[:16]
        target = self._cache / f"driver-{key}.so"
        if target.exists():
            return target, True
        stub_source = self._cache / f"driver-{key}-stubs.S"
        stub_source.write_text(_stub_text(stubs))
        making = temporary(self._cache, ".so")
        arguments: tuple[str | Path, ...] = (
            *("-shared", "-Wl,-z,defs", "-Wl,--gc-sections", "-Wl,-z,norelro", f"-Wl,-T,{script}"),
            "-Wl,--wrap=hv_ringbuffer_write",
            "-Wl,--wrap=vmbus_setevent",
            "-Wl,--wrap=pci_get_device",
            "-Wl,--wrap=__request_region",
            "-o",
            making,
            *objects,
            stub_source,
        )
        self._compiler.run(arguments, "the shared object")
        making.replace(target)
        return target, False


def _missing(objects: Sequence[Path]) -> list[str]:
    """What the objects name and none of them defines."""
    listing = subprocess.run(
        ["nm", "--format=posix", *map(str, objects)], capture_output=True, text=True, check=True
    ).stdout
    defined, undefined = set(), set()
    for line in listing.splitlines():
        name, kind, *_ = (*line.split(), "", "")
        if kind == "U":
            undefined.add(name)
        elif kind:
            defined.add(name)
    linkers = {  # what the linker makes: ends of sections, and the inside of a wrapped function
        name
        for name in undefined
        if name.startswith("__real_")
        or (name.startswith("vx_") and name.endswith(("_start", "_end")))
    }
    return sorted(undefined - defined - _LIBC - linkers - _LINKERS)


def _stub_text(names: Sequence[str]) -> str:
    """Assembly in which each of these symbols says its name and gives up."""
    code = [
        f"\t.globl {name}\n\t.hidden {name}\n"
        f"{name}:\n\tleaq .L{place}(%rip), %rdi\n\tjmp vx_missing\n"
        for place, name in enumerate(names)
    ]
    text = [f'.L{place}:\t.asciz "{name}"\n' for place, name in enumerate(names)]
    return "".join(
        (
            "\t.text\n",
            *code,
            "\t.section .rodata\n",
            *text,
            '\t.section .note.GNU-stack, "", @progbits\n',
        )
    )
