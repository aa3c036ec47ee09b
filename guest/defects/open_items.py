# SPDX-License-Identifier: MIT
"""What is wrong in the driver to this day, by reading Linux 6.12: the items O1 to O39.

They are in the model as they are in Linux. ``certainty`` says how sure one can be; nothing here was
seen to happen on a real host unless it says so. Knows no oracle: how an item shows in a run is
``sim/oracles/known.py``'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec


class OpenItem(msgspec.Struct, frozen=True):
    """One item.

    ``where`` names the kernel functions, ``needs`` what it takes. ``scenario`` is the built-in that
    shows it; None where none can, and then ``why`` says why.
    """

    id: str
    title: str
    where: str
    needs: str
    certainty: str
    scenario: str | None
    why: str


_ITEMS: Final = (
    OpenItem(
        "O1", "A later list overtakes an eject that was queued before it",
        "hv_pci_start_relations_work(), hv_eject_device_work()",
        "a list without the function before its eject is answered, while the queue is held up",
        "code path certain; that a host sends such a list is uncertain",
        "list-overtakes-eject",
        "A list that finds another one waiting is taken by the work that is queued already, so the"
        " function is unlinked, and its eject unlinks it again.",
    ),
    OpenItem(
        "O2", "A list that omits a function, and then its eject",
        "hv_pci_start_relations_work(), hv_eject_device_work()",
        "a host that sends the list ahead of the eject",
        "code path certain; a conforming host is unlikely to",
        "list-before-eject",
        "The eject is taken on because the list was not obeyed yet, and both works remove the"
        " function.",
    ),
    OpenItem(
        "O3", "A second eject of one function",
        "hv_pci_eject_device()",
        "a host that repeats its EJECT",
        "code path certain; takes a hostile or broken host",
        "eject-twice",
        "Nothing notes that an eject is under way: the queued work is initialised again, or runs"
        " twice.",
    ),
    OpenItem(
        "O4", "An eject of a function that is not linked yet is lost",
        "hv_pci_onchannelcallback()",
        "an eject right behind the offer",
        "documented upstream (commit 340d45569940)",
        "eject-before-linked",
        "The message is dropped and never answered, and nobody repeats it.",
    ),
    OpenItem(
        "O5", "A rescan revives a function that is being ejected",
        "hv_eject_device_work(), between pci_unlock_rescan_remove() and list_del()",
        "a rescan of the PCI bus at the same time",
        "high by reading; never seen reported",
        "rescan-during-eject",
        "The scan still finds the function, makes a new PCI device and binds a driver to it, and"
        " the host is told that it may take the function away.",
    ),
    OpenItem(
        "O6", "The callback that composing calls passes the gate of remove",
        "hv_pci_remove(), hv_compose_msi_msg()",
        "interrupts being composed while the bus is unbound, and an EJECT or a list in the ring",
        "medium to high by reading; the window is tiny",
        "unload-during-bind",
        "The gate is the channel's tasklet, and composing calls the callback without it: a work may"
        " be queued when the queue has gone.",
    ),
    OpenItem(
        "O7", "A failing probe closes the channel before the queue is drained, and keeps functions",
        "hv_pci_probe()",
        "a probe that fails without a rescind",
        "high by reading; the leak is certain",
        "probe-fails",
        "A work that waited for the bus goes on with a closed channel: it writes to a ring that is"
        " gone or waits for an answer that cannot come. Functions are never freed.",
    ),
    OpenItem(
        "O8", "After a failed suspend or resume, remove takes too little down",
        "hv_pci_suspend(), hv_pci_resume(), hv_pci_remove()",
        "a host that refuses D0 or is late while the guest hibernates, then an unbind or rescind",
        "high by reading",
        "resume-fails-unbind",
        "The bus is not installed, so that its root bus and its queue are left alone, and the host"
        " is written to over a ring that may be gone.",
    ),
    OpenItem(
        "O9", "A rescind without an eject leaks the functions of the bus",
        "hv_pci_bus_exit()",
        "a device that is taken away by surprise",
        "certain by reading",
        "rescind-without-eject",
        "The function returns before it removes the children, and the bus is freed without them.",
    ),
    OpenItem(
        "O10", "A host that neither answers nor rescinds is waited for without end",
        "wait_for_response(), vmbus_open(), vmbus_establish_gpadl()",
        "a host that has died, or one that offers what it does not have",
        "acknowledged upstream",
        "silent-host",
        "Only an answer or a rescind ends the wait; locks are held meanwhile.",
    ),
    OpenItem(
        "O11", "Taking the invalidation callback back races with its being called",
        "hv_register_block_invalidate(), hv_pci_onchannelcallback()",
        "a driver that leaves while a notice of stale blocks is on its way",
        "medium",
        "invalidate-during-unbind",
        "Function and context are two plain stores, and nobody waits for a call that is under way.",
    ),
    OpenItem(
        "O12", "A vendor id is used although reading it failed",
        "hv_pcifront_get_vendor_id()",
        "a confidential VM, and a device that has gone",
        "certain by reading; what it does is uncertain",
        "cvm-rescind-compose",
        "The variable is written only by a hypercall that succeeds, so the test for a device that"
        " has gone is made of what lay on the stack.",
    ),
    OpenItem(
        "O13", "A BAR 5 of 64 bits is read beyond the array",
        "survey_child_resources(), prepopulate_bars()",
        "a hostile host",
        "certain by reading",
        "wide-last-bar",
        "The upper half of the last BAR is looked for behind the six.",
    ),
    OpenItem(
        "O14", "What could not be sent is not sent again",
        "hv_eject_device_work(), hv_int_desc_free(), hv_send_resources_released()",
        "a ring that is full",
        "certain by reading",
        "eject-ring-full",
        "The error is ignored: the host waits a minute for an answer, or keeps a mapping.",
    ),
    OpenItem(
        "O15", "A message for which there is no memory is lost",
        "hv_pci_onchannelcallback(), hv_pci_start_relations_work()",
        "a guest that is short of memory",
        "certain by reading",
        "list-without-memory",
        "Nobody asks for a list again, and probe waits for it without end.",
    ),
    OpenItem(
        "O16", "A function that a list omits keeps its PCI device",
        "pci_devices_present_work()",
        "a function that disappears from a bus with others",
        "high by reading",
        "relations-shrink",
        "Only the function is freed; a scan of the bus never removes a PCI device.",
    ),
    OpenItem(
        "O17", "An interrupt without a message is unmasked",
        "hv_compose_msi_msg(), hv_irq_unmask()",
        "a request for an interrupt that could not be sent, or a device that has gone",
        "high by reading",
        "interrupt-ring-full",
        "The message is all zeroes and the vector is unmasked all the same, so the interrupt is"
        " lost.",
    ),
    OpenItem(
        "O18", "An eject waits for a function driver's probe",
        "create_root_hv_pci_bus(), hv_eject_device_work()",
        "a function driver that takes a minute",
        "a limit of the design (commit 067d6ec7ed5b)",
        "eject-slow-probe",
        "state_lock is held while drivers probe, so the host may lose its patience first.",
    ),
    OpenItem(
        "O19", "A host that takes the registers away before the guest has answered",
        "the host's side (openvmm issue 3077)",
        "a host that does not conform",
        "reported",
        "eject-unassigned-at-once",
        "The function driver still uses the device while it is being removed.",
    ),
    OpenItem(
        "O20", "The configuration window may lie over the framebuffer",
        "hv_allocate_config_window(), vmbus_reserve_fb()",
        "a crash kernel that is not told where the framebuffer is",
        "discussed upstream; what answers where both lie is not established",
        "kdump-framebuffer",
        "What was not reserved is given away: without lfb_base 6.12 reserves the lowest addresses"
        " for BARs, and nothing at all where it is built without CONFIG_SYSFB.",
    ),
    OpenItem(
        "O21", "What functions need is summed up once",
        "survey_child_resources()",
        "a function that joins a bus later",
        "certain by reading",
        "relations-grow",
        "The bridge windows stay as they were sized for the first functions.",
    ),
    OpenItem(
        "O22", "Probing asynchronously was proposed and never merged",
        "struct hv_driver",
        "nothing: it is not in 6.12",
        "the driver's structure has no such flag",
        None,
        "With it, a probe that is done would no longer mean that probing has ended.",
    ),
    OpenItem(
        "O23", "An unload releases no resources",
        "hv_pci_bus_exit()",
        "a plain unload or unbind",
        "certain by reading; hosts seem to tolerate it",
        "unload",
        "The functions are unlinked before the message is to be sent for each of them, so only D0"
        " is left.",
    ),
    OpenItem(
        "O24", "A command register is written from a read that failed",
        "prepopulate_bars()",
        "a confidential VM, and a device that goes while it is being set up",
        "certain by reading; harmless as long as nobody answers the write either",
        "cvm-rescind",
        "The variable holds what lay on the stack, or the command of the function before, and is"
        " written back less one bit.",
    ),
    OpenItem(
        "O25", "A multi-MSI block on arm64 is asked for by a dummy number",
        "hv_compose_msi_msg(), hv_arch_irq_unmask()",
        "a device without MSI-X on arm64",
        "certain by reading; OpenVMM takes the number for an SPI, what Windows does is not known",
        "arm64-multi-msi",
        "The host is asked for vector 32, to be corrected when the interrupt is unmasked; but on"
        " arm64 unmasking tells the host nothing, and the interrupts have other SPIs.",
    ),
    OpenItem(
        "O26", "Before version 1.4 an SPI above 255 is cut to eight bits",
        "hv_compose_msi_msg()",
        "arm64, a host without 1.4, and more than 192 interrupts",
        "certain by reading; hosts for arm64 are likely to have 1.4",
        "arm64-vectors-cut",
        "The cast is meant for x86's vectors. What is left is the number of no SPI, of one that"
        " nobody has, or of another device's.",
    ),
    OpenItem(
        "O27", "SPIs that a multi-MSI block has too many are never given back",
        "hv_pci_vec_alloc_device_irq(), hv_pci_vec_irq_domain_free()",
        "arm64, and a driver that takes a number of MSIs that is no power of two",
        "certain by reading",
        "arm64-odd-block",
        "The region is rounded up to a power of two when it is taken, and the core gives interrupts"
        " back one by one.",
    ),
    OpenItem(
        "O28", "A low window without its high one stays in the tree of all addresses",
        "hv_pci_allocate_bridge_windows(), vmbus_free_mmio()",
        "a function with BARs of both kinds, and too little room above 4 GiB",
        "certain by reading; never seen reported",
        "mmio-high-too-small",
        "The window is not busy any more when it is given back, so __release_region() looks into it"
        " and not at it: the resource is lost, and larger windows cannot be where it is.",
    ),
    OpenItem(
        "O29", "The slots of a list are not looked at",
        "pci_devices_present_work(), wslot_to_devfn(), hv_eject_device_work()",
        "a hostile host",
        "certain by reading",
        "hostile-slots",
        "A function may be in a slot that no bus has, or in one with another function. Reserved"
        " bits are dropped on the way to a PCI device, so that its eject removes another one's.",
    ),
    OpenItem(
        "O30", "A write index beyond the ring is never reached",
        "hv_pkt_iter_avail(), hv_pkt_iter_first()",
        "a hostile host",
        "certain by reading; a host can stop a guest's CPUs anyhow",
        "hostile-write-index",
        "What is left of the ring is computed from the host's index as it is, and there is always"
        " something left; the callback does not return.",
    ),
    OpenItem(
        "O31", "An interrupt's mapping is believed as the host gives it",
        "hv_compose_msi_msg(), hv_pci_compose_compl()",
        "a hostile host",
        "certain by reading; a host can withhold interrupts anyhow",
        "hostile-mapping",
        "Address and data go into the device as they come, so it writes them wherever the host"
        " says, and the interrupt is lost.",
    ),
    OpenItem(
        "O32", "A multi-MSI block that is kept across hibernation is not asked for again",
        "hv_compose_msi_msg(), hv_pci_restore_msi_msg()",
        "a function driver that keeps several MSIs while the VM hibernates",
        "certain by reading",
        "hibernate-multi-msi",
        "Composing a block that has a mapping gives the old message back (commit b4b77778ecc5), and"
        " the host has forgotten what that stood for.",
    ),
    OpenItem(
        "O33", "Works that remove a device do not wait for a hibernation that has it in hand",
        "hv_pci_suspend(), hv_pci_remove(), vmbus_onoffer_rescind(), hv_eject_device_work()",
        "a host that takes a device away while its VM hibernates",
        "high by reading: the queues do not freeze, and suspend takes no lock that remove takes",
        "hibernate-rescind",
        "A rescind frees the bus that is being suspended; of one that is asleep too little is taken"
        " down, as in O8.",
    ),
    OpenItem(
        "O34", "An offer or rescind that comes while the bus goes down is lost with its memory",
        "vmbus_on_msg_dpc()",
        "a host that offers or takes away a device at that moment",
        "certain by reading",
        "hibernate-late-rescind",
        "The message's context is allocated first, and neither queued nor freed while such messages"
        " are not looked at.",
    ),
    OpenItem(
        "O35", "A ring whose channel could not be closed is lost when the channel opens again",
        "vmbus_close_internal(), vmbus_open()",
        "an allocation that fails in a close, and a rebind or a resume",
        "certain by reading; the leak is meant, since the host may still know the pages",
        "rebind-without-memory",
        "Ring, requestor and GPADL handle stay in the channel, and its next opening writes new ones"
        " over them.",
    ),
    OpenItem(
        "O36", "After hibernation on arm64 the SPIs of interrupts that were kept stay disabled",
        "suspend_device_irq(), hv_msi_irq_chip",
        "arm64, and a driver that keeps its interrupts while the machine is switched off",
        "high by reading; whether Hyper-V lets an arm64 guest hibernate is not known",
        "arm64-hibernate",
        "The GIC's own chip asks to be masked on suspend, so that resume unmasks it; the driver's"
        " does not. But a machine that was off begins with every SPI disabled.",
    ),
    OpenItem(
        "O37", "A function that joins a bus over hibernation gets no PCI device",
        "hv_pci_resume()",
        "a host that gives a bus another function while its VM is switched off",
        "certain by reading",
        "hibernate-new-function",
        "The list is dealt with while the bus is not installed, and nobody scans it afterwards; the"
        " next list, or a rescan, finds the function.",
    ),
    OpenItem(
        "O38", "A packet that says it is longer than what is there takes its reader past the rest",
        "hv_pkt_iter_first(), __hv_pkt_iter_next()",
        "a hostile host",
        "certain by reading; a host can stop a guest's CPUs anyhow",
        "hostile-length",
        "Its length becomes all there is to read, its trailer among that, and the trailer's eight"
        " bytes are passed over once more: the reader is beyond the host's index, the whole ring"
        " seems full of packets, and the callback reads old ones and rubbish, mostly for ever.",
    ),
    OpenItem(
        "O39", "An offer of an instance that is there leaves its old number with the channel",
        "vmbus_onoffer(), vmbus_channel_map_relid()",
        "a hostile host",
        "certain by reading; Linux warns of the offer, and goes on",
        "hostile-offer-again",
        "It is taken for one after hibernation, when the channel has no number. The table still"
        " leads from the old number to the channel, and once that is freed, to what was it.",
    ),
)  # fmt: skip

OPEN_ITEMS: Final[Mapping[str, OpenItem]] = MappingProxyType({item.id: item for item in _ITEMS})
