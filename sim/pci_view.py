# SPDX-License-Identifier: MIT
"""What the guest sees of its PCI functions once a run has ended: as ``lspci`` would read them.

The guest itself reads, register by register through its own driver.
"""

from __future__ import annotations

from collections.abc import Iterator

from guest.kernel.context import Context, Kind
from guest.kernel.resource import (
    IORESOURCE_MEM,
    IORESOURCE_MEM_64,
    IORESOURCE_PREFETCH,
    IORESOURCE_UNSET,
)
from guest.seen import FunctionSeen, Window
from protocol.pci_regs import Bar
from sim.report.lspci import PciAddress, SeenBar, SeenFunction
from sim.world import World


def guest_view(world: World) -> tuple[SeenFunction, ...]:
    """Every function the guest still knows, by address. The world must have run to its end.

    A kernel that has crashed knows none.
    """
    if not world.machine.alive:
        return ()
    guest = world.machine.guest
    seen: list[FunctionSeen] = []

    async def look() -> None:
        seen.extend(await guest.functions_seen())

    reader = Context("lspci", Kind.THREAD, guest.kernel.cpus[0], look())
    world.engine.start(reader)
    world.engine.run()
    assert reader.done, "configuration reads do not wait for anybody"
    return tuple(
        SeenFunction(_address(function), tuple(_bars(function)), function.config)
        for function in seen
    )


def _address(function: FunctionSeen) -> PciAddress:
    return PciAddress(function.domain, function.bus, function.devfn >> 3, function.devfn & 7)


def _bars(function: FunctionSeen) -> Iterator[SeenBar]:
    """The memory resources, as the scan left them."""
    for index, window in enumerate(function.resources):
        if window.flags & IORESOURCE_MEM:
            start = 0 if window.flags & IORESOURCE_UNSET else window.start
            yield SeenBar(_bar(index, window), start)


def _bar(index: int, window: Window) -> Bar:
    return Bar(
        index=index,
        size_bytes=window.end - window.start + 1,
        bits=64 if window.flags & IORESOURCE_MEM_64 else 32,
        prefetchable=bool(window.flags & IORESOURCE_PREFETCH),
    )
