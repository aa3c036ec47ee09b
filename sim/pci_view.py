# SPDX-License-Identifier: MIT
"""What the guest sees of its PCI functions once a run has ended: as ``lspci`` would read them.

The guest itself reads, register by register through its own driver, so that what the driver answers
by itself and what is gone already look as they do to a user of that guest.
"""

from __future__ import annotations

from collections.abc import Iterator

from guest.kernel.context import Context, Kind
from guest.kernel.resource import (
    IORESOURCE_MEM,
    IORESOURCE_MEM_64,
    IORESOURCE_PREFETCH,
    IORESOURCE_UNSET,
    Resource,
)
from guest.pci_core.types import PciDev
from protocol.pci_regs import BAR_COUNT, CONFIG_BYTES, Bar
from sim.report.lspci import PciAddress, SeenBar, SeenFunction
from sim.world import World


def guest_view(world: World) -> tuple[SeenFunction, ...]:
    """Every function the guest still knows, by address. The world must have run to its end.

    A kernel that has crashed knows none.
    """
    if not world.machine.alive:
        return ()
    kernel = world.guest.kernel
    seen: list[SeenFunction] = []

    async def look() -> None:
        for _, dev in sorted(world.guest.pci.devices.items()):
            seen.append(SeenFunction(_address(dev), tuple(_bars(dev)), await _config(dev)))

    reader = Context("lspci", Kind.THREAD, kernel.cpus[0], look())
    world.engine.start(reader)
    world.engine.run()
    assert reader.done, "configuration reads do not wait for anybody"
    return tuple(seen)


def _address(dev: PciDev) -> PciAddress:
    return PciAddress(dev.bus.domain_nr, dev.bus.number, dev.devfn >> 3, dev.devfn & 7)


def _bars(dev: PciDev) -> Iterator[SeenBar]:
    """The memory resources, as the scan left them."""
    for index, resource in enumerate(dev.resource[:BAR_COUNT]):
        if resource.flags & IORESOURCE_MEM:
            start = 0 if resource.flags & IORESOURCE_UNSET else resource.start
            yield SeenBar(_bar(index, resource), start)


def _bar(index: int, resource: Resource) -> Bar:
    return Bar(
        index=index,
        size_bytes=resource.size,
        bits=64 if resource.flags & IORESOURCE_MEM_64 else 32,
        prefetchable=bool(resource.flags & IORESOURCE_PREFETCH),
    )


async def _config(dev: PciDev) -> bytes:
    """All of configuration space by 32-bit reads; a failed one reads all ones, as in Linux."""
    image = bytearray()
    for where in range(0, CONFIG_BYTES, 4):
        _, value = await dev.bus.ops.read(dev.bus, dev.devfn, where, 4)
        image += value.to_bytes(4, "little")
    return bytes(image)
