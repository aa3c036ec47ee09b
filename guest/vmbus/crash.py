# SPDX-License-Identifier: MIT
"""How a kernel that crashes leaves VMBus: UNLOAD, and its answer looked for in every CPU's slot.

After hv_panic_vmbus_unload(), vmbus_initiate_unload(true) and vmbus_wait_for_unload() of Linux
6.12. Refuses to touch a channel: the host keeps every device as it was, in D0 with its resources.

Model: the other CPUs have stopped by now, as panic() stops them where crash_kexec_post_notifiers
is set; Hyper-V guests set it. So nobody but the one who looks can see the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guest.events import UnloadAwaited, UnloadEnded
from guest.kernel import ops
from guest.vmbus.messages import HV_MESSAGE_HEADER_BYTES
from guest.vmbus.post import vmbus_post_msg
from protocol.vmbus import ChannelMessageType, VmbusChannelMessageHeader

if TYPE_CHECKING:
    from guest.vmbus.connection import VmbusConnection

UNLOAD_DELAY_UNIT_MS: Final = 10
UNLOAD_WAIT_LOOPS: Final = 10_000  # 100 s: a host may have to write a disk cache back first
UNLOAD_MSG_LOOPS: Final = 500  # 5 s
UNLOAD: Final = VmbusChannelMessageHeader(msgtype=ChannelMessageType.CHANNELMSG_UNLOAD).build()
TYPE_BYTES: Final = 4  # of a message, at its beginning


async def hv_panic_vmbus_unload(vmbus: VmbusConnection) -> None:
    """vmbus_initiate_unload(true): nothing without a connection, or before version 3.0."""
    if not vmbus.disconnect():
        return
    vmbus.unload_event.reinit()
    await vmbus_post_msg(vmbus, UNLOAD)
    answered = await vmbus_wait_for_unload(vmbus)
    vmbus.interrupts.drop_messages()
    vmbus.kernel.emit(UnloadEnded(answered))


async def vmbus_wait_for_unload(vmbus: VmbusConnection) -> bool:
    """Look every 10 ms, for 100 s; whether the answer came.

    Whatever else stands in a slot is taken out of it unread.
    Model: mdelay() is a sleep, which is the same where nobody else runs.
    """
    kernel = vmbus.kernel
    for loop in range(1, UNLOAD_WAIT_LOOPS + 1):
        if vmbus.unload_event.done():
            return True
        for cpu in kernel.cpus:
            message = vmbus.interrupts.take_message(cpu.index)
            if message is not None and _answers(message):
                await vmbus.unload_event.complete()
        if loop % UNLOAD_MSG_LOOPS == 0:
            kernel.log("notice", "Waiting for VMBus UNLOAD to complete")
            kernel.emit(UnloadAwaited((loop - 1) * UNLOAD_DELAY_UNIT_MS))
        await ops.msleep(kernel, UNLOAD_DELAY_UNIT_MS)
    kernel.log("err", "Continuing even though VMBus UNLOAD did not complete")
    return False


def _answers(message: bytes) -> bool:
    """Whether it is UNLOAD_RESPONSE."""
    head = message[HV_MESSAGE_HEADER_BYTES : HV_MESSAGE_HEADER_BYTES + TYPE_BYTES]
    return int.from_bytes(head, "little") == ChannelMessageType.CHANNELMSG_UNLOAD_RESPONSE
