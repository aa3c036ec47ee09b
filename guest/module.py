# SPDX-License-Identifier: MIT
"""``pci-hyperv.ko``: loaded, unloaded and loaded again. After kernel/module/main.c.

What is static in the module is new with each load, so each has a driver of its own. Knows nothing
of what the driver does.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from errno import EBUSY, EEXIST, ENOENT
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from guest.kernel import ops
from guest.kernel.context import WaitQueue

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel


class ModuleCode(Protocol):
    """What a module brings: its init, 0 or a negative errno, and its exit."""

    async def init_hv_pci_drv(self) -> int: ...

    async def exit_hv_pci_drv(self) -> None: ...


T = TypeVar("T", bound=ModuleCode)


class ModuleState(Enum):
    """``enum module_state``, and ABSENT for a module that is not there."""

    ABSENT = "absent"
    COMING = "coming"
    LIVE = "live"
    GOING = "going"


class Module(Generic[T]):
    """The one module of this name. ``driver`` is what it brings, or will when it is loaded."""

    def __init__(self, kernel: Kernel, new_driver: Callable[[], T]) -> None:
        self._kernel = kernel
        self._new_driver = new_driver
        self._settled = WaitQueue("module_wq")
        self.driver = new_driver()
        self.state = ModuleState.ABSENT

    async def load(self) -> int:
        """finit_module(): 0, or what init returned.

        Whoever finds the module being loaded waits for that: -EEXIST if it is there then, -EBUSY
        if it is not, or is being unloaded.
        """
        if self.state is not ModuleState.ABSENT:
            while self.state is ModuleState.COMING:
                await ops.park(self._kernel, self._settled)
            return -EEXIST if self.state is ModuleState.LIVE else -EBUSY
        self.state = ModuleState.COMING
        error = await self.driver.init_hv_pci_drv()
        self._settle(ModuleState.ABSENT if error else ModuleState.LIVE)
        return error

    async def unload(self) -> int:
        """delete_module(): 0, -ENOENT if it is not there, -EBUSY while it comes or goes.

        Nothing holds the module, however many devices are bound.
        """
        if self.state is not ModuleState.LIVE:
            return -ENOENT if self.state is ModuleState.ABSENT else -EBUSY
        self.state = ModuleState.GOING
        await self.driver.exit_hv_pci_drv()
        self.driver = self._new_driver()
        self._settle(ModuleState.ABSENT)
        return 0

    def _settle(self, state: ModuleState) -> None:
        self.state = state
        ops.wake_all(self._kernel, self._settled)
