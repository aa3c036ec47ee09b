# SPDX-License-Identifier: MIT
"""What is compiled for one driver and one tree, and with which flags. Compiles nothing itself.

The tree's own files are taken as they are; our shim is whatever lies in ``shim`` and ``core``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from guest.native.errors import BuildError
from guest.native.objects import Unit
from guest.native.sources import DRIVER, IN_DETAIL, LIBRARY, MAY_BE_ABSENT, WATCHED

HERE: Final = Path(__file__).parent
OVERLAY: Final = HERE / "overlay"
LINKER_SCRIPT: Final = HERE / "shim/kernel.ld"
_WRAPPER: Final = "driver.c"  # the driver itself, and what only its own file can tell
# Of ours, with the driver's own types; what it looks at is not looked at again.
_TELLING: Final = frozenset(
    {"tell_bus.c", "tell_children.c", "tell_messages.c", "tell_msi.c", "census.c"}
)
# In the core's folder; plays whole schedules, so unlike the core it needs the shim's kernel.
_ENGINE: Final = frozenset(
    {"runners.c", "clock.c", "known.c", "inputs.c", "effects.c", "choose.c", "delays.c"}
    | {"engine.c"}
)

_KERNEL_FLAGS: Final = (
    *("-D__KERNEL__", "-std=gnu11", "-fshort-wchar", "-funsigned-char", "-fno-common"),
    *("-fno-strict-aliasing", "-fms-extensions", "-fPIC", "-O1", "-w", "-nostdinc"),
    *("-fno-omit-frame-pointer", "-mno-red-zone", "-mgeneral-regs-only"),
    *("-ffunction-sections", "-fdata-sections", "-Werror=implicit-function-declaration"),
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
_DETAIL: Final = ("-gdwarf-4",)
_LINES_ONLY: Final = ("-gdwarf-4", "-g1")  # a fifth less to compile


class Recipe(NamedTuple):
    """One driver and what it is built with. ``headers`` has those that a kernel build generates.

    ``driver_flags`` are for the driver's file alone.
    """

    tree: Path
    driver: Path
    headers: Path
    driver_flags: tuple[str, ...] = ()

    def real_files(self) -> tuple[str, ...]:
        """The tree's own files that this version has, and the driver's place.

        Raises :class:`BuildError` if one is missing that every version should have.
        """
        there = [name for name in (*WATCHED, *LIBRARY) if (self.tree / name).is_file()]
        missing = {*WATCHED, *LIBRARY} - MAY_BE_ABSENT - {*there}
        if missing:
            raise BuildError(
                f"{self.tree}: no {', '.join(sorted(missing))}: that is no whole Linux tree, or"
                " none between 6.1 and 6.12; give one of these"
            )
        return (*there, DRIVER)

    def units(self) -> Iterator[Unit]:
        """What includes the kernel's headers: the driver first, then the tree's and the shim."""
        driver = HERE / "shim" / _WRAPPER
        flags = (*self._driver_flags(), *WATCHED_FLAGS, *self.driver_flags)
        yield Unit(str(self.driver), driver, flags)
        for name in self.real_files()[:-1]:
            watched = WATCHED_FLAGS if name in WATCHED else ()
            source = self.tree / name
            yield Unit(name, source, (*self._flags(source), *_detail_of(name), *watched))
        for source in sorted((HERE / "shim").glob("*.c")):
            if source != driver:
                yield Unit(source.name, source, self._shim_flags(source))

    def core_units(self) -> Iterator[Unit]:
        """What knows no kernel, but a C library."""
        for source in _of_the_core():
            yield Unit(source.name, source, CORE_FLAGS if source.suffix == ".c" else ())

    def _driver_flags(self) -> tuple[str, ...]:
        """Of what includes the driver's own file."""
        include = (f'-DVX_DRIVER="{self.driver}"', f"-I{(self.tree / DRIVER).parent}")
        return (*self._flags(self.driver), *include, *_DETAIL)

    def _flags(self, source: Path) -> tuple[str, ...]:
        module = source.stem.replace("-", "_")
        return (
            *self._includes(),
            *_KERNEL_FLAGS,
            *(f'-DKBUILD_{key}="{module}"' for key in ("MODNAME", "BASENAME", "MODFILE")),
            f"-D__KBUILD_MODNAME={module}",
            f"-I{source.parent}",
            f"-I{self.tree / 'kernel'}",
        )

    def _shim_flags(self, source: Path) -> tuple[str, ...]:
        with_driver = source.name in _TELLING
        flags = self._driver_flags() if with_driver else (*self._flags(source), *_DETAIL)
        return (*flags, "-fno-builtin", f"-I{self.tree / 'drivers/hv'}")

    def _includes(self) -> tuple[str, ...]:
        """Ours before the tree's: somebody may have built a kernel there."""
        tree, made = self.tree, self.headers
        folders = (
            *(OVERLAY, made / "include", tree / "arch/x86/include", made / "arch"),
            *(tree / "include", tree / "arch/x86/include/uapi", made / "arch-uapi"),
            *(tree / "include/uapi", made / "include/generated/uapi"),
        )
        first = (
            *(OVERLAY / "hidden.h", tree / "include/linux/compiler-version.h"),
            *(tree / "include/linux/kconfig.h", tree / "include/linux/compiler_types.h"),
        )
        flags = [f"-I{folder}" for folder in folders]
        for header in first:
            flags += ["-include", str(header)]
        return tuple(flags)


def core_files() -> list[Path]:
    """The scheduler and memory core: what knows no kernel."""
    return [source for source in _of_the_core() if source.name not in _ENGINE]


def _of_the_core() -> list[Path]:
    return sorted((HERE / "core").glob("*.[cS]"))


def _detail_of(name: str) -> tuple[str, ...]:
    """Of most files only the lines are asked for."""
    return _DETAIL if name.startswith(IN_DETAIL) else _LINES_ONLY
