# SPDX-License-Identifier: MIT
"""For each bug that natural order does not show, or not soon, one short schedule that does."""

from collections.abc import Mapping

from sim.explore.delays import Delay, FaultAt
from sim.explore.named import NATURAL, Named

SECOND, REBOUND = (f"local_pci_probe/events#{nth}" for nth in (2, 3))
PROBE = "vmbus_add_channel_work/1/hv_pri_chan#1"
EJECT = "hv_eject_device_work/hv_pci_96f2#2"
CALLBACK = "vmbus_on_event/1@1"
REMOVE = "vmbus_onoffer_rescind/hv_vmbus_rescind#1"
LAST_TASKLET = "vmbus_on_event/1@0#9"
BUFFER = "hbus.retarget_msi_interrupt_params"

FAILING: Mapping[str, Named] = {
    # Probe has found the device and stands before its lock; the eject removes and frees it.
    "eject-without-rescan-lock": Named((Delay(PROBE, "lock device_lock"),)),
    # The eject is answered for while probe reads the device's registers.
    "eject-before-root-bus": Named((Delay(PROBE, "unlock device_list_lock", 3),)),
    # The host's next list is obeyed between the answer and what follows it.
    "eject-lists-late-delete": Named((Delay(EJECT, "published", until="late"),)),
    # The eject unlinks its function after the removal has met it on its walk.
    "remove-vs-pending-work": Named(
        (Delay(EJECT, "lock device_list_lock", 9, f"reached {REMOVE} @ lock pci_slot_mutex # 1"),)
    ),
    # Probe has asked for memory to ask with; the rescind's flag goes up before it looks.
    "open-info-list-uaf": Named((Delay(PROBE, "lock channelmsg_lock", 2),)),
    # The device is there and not bound yet; the rescind takes it away.
    "rescind-before-probe-done": Named((Delay(PROBE, "lock device_lock"),)),
    # The offer finds no memory for its channel.
    "relid-leak": Named(faults=(FaultAt("fault allocation-failure", "VmbusChannel"),)),
    # The callback has the answer before it; whoever waits sees the flag and returns.
    "rescind-flag-before-callback-stop": Named((Delay(CALLBACK, "lock req_lock", until="late"),)),
    # The interrupt has seen a callback; the rescind closes the channel.
    "sched-vs-close": Named((Delay("vmbus_isr@1", "onchannel_callback"),)),
    # The answer to D0 exit has been read, and is looked up after the guest has given up waiting.
    "busexit-stack-packet": Named(
        (
            Delay(
                LAST_TASKLET,
                "lock req_lock",
                until="reached unload:user @ tasklet_disable vmbus_on_event/1 # 1",
            ),
        )
    ),
    # Between filling the buffer and its hypercall, the other function's probe fills it, too.
    "retarget-params-on-stack": Named(
        (Delay(REBOUND, BUFFER, 4, f"reached {SECOND} @ unlock irq_request # 4"),)
    ),
    # The first mapping that is asked for with the interrupt's descriptor locked.
    "compose-ignores-send-failure": Named(
        faults=(FaultAt("fault ring-full", "PCI_CREATE_INTERRUPT_MESSAGE3", 3),)
    ),
}


def failing(name: str) -> Named:
    """A schedule in which the bug of that name shows: natural order, or the one written here."""
    return FAILING.get(name, NATURAL)
