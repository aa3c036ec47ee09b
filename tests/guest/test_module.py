# SPDX-License-Identifier: MIT
"""A module comes and goes, and whoever asks meanwhile is told so."""

from __future__ import annotations

from errno import EBUSY, EEXIST, ENOENT

import pytest

from guest.kernel import ops
from guest.module import Module, ModuleState
from tests.guest.vmbus.scripted_host import ScriptedHost

SLOW_MS = 10


class SlowDriver:
    """Init and exit each take their time; ``error`` is what init returns."""

    def __init__(self, host: ScriptedHost) -> None:
        self._host = host
        self.error = 0
        self.inits = 0

    async def init_hv_pci_drv(self) -> int:
        self.inits += 1
        await ops.msleep(self._host.kernel, SLOW_MS)
        return self.error

    async def exit_hv_pci_drv(self) -> None:
        await ops.msleep(self._host.kernel, SLOW_MS)


class Rig:
    """A module, and commands at given times; ``told`` has what each was told, in order."""

    def __init__(self) -> None:
        self.host = ScriptedHost()
        self.module = Module(self.host.kernel, lambda: SlowDriver(self.host))
        self.told: list[tuple[str, int]] = []

    async def _do(self, command: str, after_ms: int) -> None:
        await ops.msleep(self.host.kernel, after_ms)
        error = await getattr(self.module, command)()
        self.told.append((command, error))

    def play(self, *commands: tuple[int, str]) -> list[tuple[str, int]]:
        for after_ms, command in commands:
            self.host.kernel.spawn_thread(command, self._do(command, after_ms))
        self.host.engine.run()
        return self.told


def test_a_module_is_loaded_unloaded_and_loaded_with_new_statics() -> None:
    rig = Rig()
    first = rig.module.driver
    told = rig.play((0, "load"), (50, "unload"), (100, "load"))
    assert told == [("load", 0), ("unload", 0), ("load", 0)]
    assert rig.module.driver is not first
    assert (first.inits, rig.module.driver.inits) == (1, 1)
    assert rig.module.state is ModuleState.LIVE


@pytest.mark.parametrize(
    ("first", "second", "error"),
    [
        (((0, "load"),), (50, "load"), -EEXIST),
        (((0, "load"),), (5, "load"), -EEXIST),  # waits for the first
        (((0, "load"),), (5, "unload"), -EBUSY),
        ((), (0, "unload"), -ENOENT),
        (((0, "load"), (50, "unload")), (55, "unload"), -EBUSY),
        (((0, "load"), (50, "unload")), (55, "load"), -EBUSY),
        (((0, "load"), (50, "unload")), (100, "unload"), -ENOENT),
    ],
)
def test_who_comes_second_is_refused(
    first: tuple[tuple[int, str], ...], second: tuple[int, str], error: int
) -> None:
    told = Rig().play(*first, second)
    assert sorted(told) == sorted([*((command, 0) for _, command in first), (second[1], error)])


def test_a_module_whose_init_fails_is_not_there() -> None:
    rig = Rig()
    rig.module.driver.error = -EBUSY
    assert rig.play((0, "load"), (5, "load")) == [("load", -EBUSY), ("load", -EBUSY)]
    assert rig.module.state is ModuleState.ABSENT
