# SPDX-License-Identifier: MIT
"""Guests whose VMBus does one thing otherwise than Linux: the contact, and how a channel is opened.

What does otherwise in vPCI is in ``drivers_unlike_linux``. Knows no case.
"""

from __future__ import annotations

from msgspec.structs import replace

from guest.kernel import ops
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.driver import HvPciDriver
from guest.pci_hyperv.parts import PCI_RING_BYTES
from guest.vmbus.channel import VmbusChannel
from guest.vmbus.connection import FIRST_GPADL_HANDLE, VmbusConnection
from protocol.ids import CpuId, GpadlId
from protocol.versions import VMBUS_2_4, VMBUS_5_3, VmbusDialect

PAGE_BYTES = 0x1000


class StartsAt52(VmbusConnection):
    """It does not know the newest version."""

    async def connect(self) -> int:
        self.versions = tuple(v for v in self.versions if v < VMBUS_5_3.version)
        return await super().connect()


class StopsAt30(VmbusConnection):
    """It does not know the oldest version."""

    async def connect(self) -> int:
        self.versions = tuple(v for v in self.versions if v > VMBUS_2_4.version)
        return await super().connect()


class TriesAgain(VmbusConnection):
    """Once more at each version that it gets nowhere with."""

    async def vmbus_negotiate_version(self, dialect: VmbusDialect) -> int:
        error = await super().vmbus_negotiate_version(dialect)
        return error and await super().vmbus_negotiate_version(dialect)


class AsksForOffersAgain(VmbusConnection):
    async def request_offers(self) -> int:
        await super().request_offers()
        return await super().request_offers()


class LooksRarely(VmbusConnection):
    """Ten times a second it looks whether the probe of a channel that has gone has ended."""

    async def wait_for_probe(self, channel: VmbusChannel) -> None:
        while not channel.probe_done:
            await ops.msleep(self.kernel, 100)


class CountsHandlesDown(VmbusConnection):
    def take_gpadl_handle(self) -> int:
        return 2 * FIRST_GPADL_HANDLE - super().take_gpadl_handle()


class NamesAnotherGpadl(VmbusConnection):
    async def _post_open(self, channel: VmbusChannel, userdata: bytes) -> int:
        channel.gpadl = GpadlId(channel.gpadl + 1)
        return await super()._post_open(channel, userdata)


class TakesMovesForDone(VmbusConnection):
    """It waits for no answer to a move, whatever the version."""

    async def connect(self) -> int:
        return _with(self, await super().connect(), modify_channel_response=False)


class WaitsForMoves(VmbusConnection):
    """It waits for the answer to a move, whatever the version."""

    async def connect(self) -> int:
        return _with(self, await super().connect(), modify_channel_response=True)


class MovesAlways(VmbusConnection):
    """It moves its channels, whatever the version."""

    async def connect(self) -> int:
        return _with(self, await super().connect(), modify_channel=True)


class SignalsAnother(HvPciDriver):
    async def open_channel(self, hbus: HvPciBus) -> int:
        hbus.hdev.channel.sig_event = (1).to_bytes(8, "little")
        return await super().open_channel(hbus)


class HasSmallerRings(HvPciDriver):
    """Of 12288 bytes with their header page, as FreeBSD's data."""

    async def open_channel(self, hbus: HvPciBus) -> int:
        return await _opened(self, hbus, 3 * PAGE_BYTES, 3 * PAGE_BYTES)


class HasUnequalRings(HvPciDriver):
    async def open_channel(self, hbus: HvPciBus) -> int:
        less, more = PCI_RING_BYTES - PAGE_BYTES, PCI_RING_BYTES + PAGE_BYTES
        return await _opened(self, hbus, less, more)


class AimsAtTheSecond(HvPciDriver):
    """CPU 1 takes the channel's interrupt."""

    async def open_channel(self, hbus: HvPciBus) -> int:
        hbus.hdev.channel.target_cpu = CpuId(1)
        return await super().open_channel(hbus)


async def _opened(driver: HvPciDriver, hbus: HvPciBus, send_bytes: int, recv_bytes: int) -> int:
    channel = hbus.hdev.channel
    channel.requestor_size = 64
    return await driver.vmbus.vmbus_open(
        channel, send_bytes, recv_bytes, b"", driver.hv_pci_onchannelcallback, hbus
    )


def _with(vmbus: VmbusConnection, error: int, **otherwise: bool) -> int:
    """``error``, and a connection that takes its version to be otherwise."""
    if vmbus.dialect is not None:
        vmbus.dialect = replace(vmbus.dialect, **otherwise)
    return error
