# SPDX-License-Identifier: MIT
"""What is compiled for one driver and one tree, and with which flags. Compiles nothing itself.

The tree's own files are taken as they are; our shim is whatever lies in ``shim`` and ``core``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from guest.native.errors import BuildError
from guest.native.sources import DRIVER, IN_DETAIL, LIBRARY, MAY_BE_ABSENT, WATCHED
from guest.native.units import PRECOMPILED, Unit, sees_what_headers_see

HERE: Final = Path(__file__).parent
OVERLAY: Final = HERE / "overlay"
LINKER_SCRIPT: Final = HERE / "shim/kernel.ld"
COMMON: Final = OVERLAY / "common.h"
_WRAPPER: Final = "driver.c"  # the driver itself, and what only its own file can tell
# Of ours, with the driver's own types; what it looks at is not looked at again.
_TELLING: Final = frozenset(
    {"tell_bus.c", "tell_children.c", "tell_domains.c", "tell_messages.c", "tell_msi.c", "census.c"}
)
# In the core's folder; plays whole schedules, so unlike the core it needs the shim's kernel.
_ENGINE: Final = frozenset(
    {"runners.c", "clock.c", "known.c", "inputs.c", "effects.c", "choose.c", "delays.c"}
    | {"engine.c", "surw.c", "orders.c"}
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
_HIDDEN: Final = (OVERLAY / "hidden.h").read_text()
_SHIM_FLAGS: Final = ("-fno-builtin",)
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
                " none between 6.1 and 7.0; give one of these"
            )
        return (*there, DRIVER)

    def units(self) -> Iterator[Unit]:
        """What includes the kernel's headers: the driver first, then the tree's and the shim."""
        wrapper = HERE / "shim" / _WRAPPER
        flags = (*self._driver_flags(), *self.driver_flags)
        driver = Unit(str(self.driver), wrapper, (*_DETAIL, *flags))
        yield self._beginning(driver, self.driver, WATCHED_FLAGS)
        for name in self.real_files()[:-1]:
            unit = Unit(name, self.tree / name, _detail_of(name))
            yield self._beginning(unit, unit.source, WATCHED_FLAGS if name in WATCHED else ())
        for source in sorted((HERE / "shim").glob("*.c")):
            if source != wrapper:
                yield self._shim_unit(source)

    def core_units(self) -> Iterator[Unit]:
        """What knows no kernel, but a C library."""
        for source in _of_the_core():
            yield Unit(source.name, source, CORE_FLAGS if source.suffix == ".c" else ())

    def _driver_flags(self) -> tuple[str, ...]:
        """Of what includes the driver's own file."""
        include = f"-I{(self.tree / DRIVER).parent}"
        return (f'-DVX_DRIVER="{self.driver}"', include)

    def _shim_unit(self, source: Path) -> Unit:
        told = source.name in _TELLING
        flags = (*_LINES_ONLY, f"-I{self.tree / 'drivers/hv'}")
        unit = Unit(source.name, source, (*flags, *self._driver_flags()) if told else flags)
        return self._beginning(unit, self.driver if told else source, _SHIM_FLAGS)

    def _beginning(self, unit: Unit, like: Path, hooks: tuple[str, ...]) -> Unit:
        """The unit, as one of the kernel's; ``like`` names its module and decides what it sees."""
        folders = (f"-I{like.parent}", f"-I{self.tree / 'kernel'}")
        common = self._common(hooks) if hooks and sees_what_headers_see(like) else None
        return unit._replace(
            flags=(*self._includes(), *_KERNEL_FLAGS, *folders, *unit.flags, *hooks),
            first=self._first(),
            names=_names_of(like.stem.replace("-", "_")),
            common=common,
        )

    def _common(self, hooks: tuple[str, ...]) -> Unit:
        """What most files include, for gcc to read once: flags that it compares are as theirs."""
        flags = (*self._includes(), *_KERNEL_FLAGS, *_LINES_ONLY, *hooks, "-x", "c-header")
        return Unit(COMMON.name, COMMON, flags, first=self._first(), makes=PRECOMPILED)

    def _first(self) -> tuple[Path, ...]:
        """What kbuild includes before any file."""
        linux = self.tree / "include/linux"
        kbuilds = ("compiler-version.h", "kconfig.h", "compiler_types.h")
        return (OVERLAY / "hidden.h", *(linux / name for name in kbuilds))

    def _includes(self) -> tuple[str, ...]:
        """Ours before the tree's: somebody may have built a kernel there."""
        tree, made = self.tree, self.headers
        folders = (
            *(OVERLAY, made / "include", tree / "arch/x86/include", made / "arch"),
            *(tree / "include", tree / "arch/x86/include/uapi", made / "arch-uapi"),
            *(tree / "include/uapi", made / "include/generated/uapi"),
        )
        return tuple(f"-I{folder}" for folder in folders)


def core_files() -> list[Path]:
    """The scheduler and memory core: what knows no kernel."""
    return [source for source in _of_the_core() if source.name not in _ENGINE]


def _of_the_core() -> list[Path]:
    return sorted((HERE / "core").glob("*.[cS]"))


def _detail_of(name: str) -> tuple[str, ...]:
    """Of most files only the lines are asked for."""
    return _DETAIL if name.startswith(IN_DETAIL) else _LINES_ONLY


def _names_of(module: str) -> str:
    """What kbuild defines; visibility once more, since a precompiled header does not pass it on."""
    values = dict.fromkeys(("MODNAME", "BASENAME", "MODFILE"), f'"{module}"')
    lines = (f"#define KBUILD_{name} {value}\n" for name, value in values.items())
    return "".join((*lines, f"#define __KBUILD_MODNAME {module}\n", _HIDDEN))
