/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Faults by choice: the other side is asked whether an allocation fails, or a ring has no room. What
 * is allocated has the name that the reference guest has for it, so that a fault can be told alike.
 *
 * Model: only what VMBus, the vPCI driver and the interrupts of its functions allocate can fail.
 */
#include <linux/uio.h>

#include "shim.h"

#define FOUND_MAX 1021 /* a prime */

/* By the function that allocates. */
static const struct {
	const char *function, *name;
} allocations[] = {
	{ "__irq_domain_alloc_fwnode", "FwNode" },
	{ "__irq_domain_create", "IrqDomain" },
	{ "__vmbus_establish_gpadl", "ChannelMessageInfo" },
	{ "__vmbus_open", "ChannelMessageInfo" },
	{ "alloc_channel", "VmbusChannel" },
	{ "create_gpadl_header", "ChannelMessageInfo" },
	{ "hv_compose_msi_msg", "IntDesc" },
	{ "hv_pci_devices_present", "HvDrState" },
	{ "hv_pci_devices_present2", "HvDrState" },
	{ "hv_pci_enter_d0", "PciPacket" },
	{ "hv_pci_onchannelcallback", "PacketBuffer" },
	{ "hv_pci_probe", "HvPciBus" },
	{ "hv_pci_protocol_negotiation", "PciPacket" },
	{ "hv_pci_start_relations_work", "HvDrWork" },
	{ "hv_send_resources_allocated", "PciPacket" },
	{ "invalidated", "InvalidateWork" },
	{ "irq_domain_alloc_descs", "IrqData" },
	{ "irq_domain_insert_irq_data", "IrqData" },
	{ "msi_alloc_desc", "MsiDesc" },
	{ "new_pcichild_device", "HvPciDev" },
	{ "pci_alloc_bus", "PciBus" },
	{ "pci_alloc_dev", "PciDev" },
	{ "pci_create_slot", "PciSlot" },
	{ "step_probe", "FunctionInstance" },
	{ "vmbus_alloc_requestor", "Requestor" },
	{ "vmbus_alloc_ring", "ring" },
	{ "vmbus_connect", "ChannelMessageInfo" },
	{ "vmbus_request_offers", "ChannelMessageInfo" },
	{ "vmbus_teardown_gpadl", "ChannelMessageInfo" },
};

static const char *find_name(const void *caller)
{
	const char *function = vx_function_name(caller);
	unsigned int low = 0, high = ARRAY_SIZE(allocations);

	while (low < high) {
		unsigned int middle = (low + high) / 2;
		int order = strcmp(allocations[middle].function, function);

		if (!order)
			return allocations[middle].name;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static bool begun;

/* From here on. */
void vx_begin_faults(void)
{
	begun = true;
}

/* Looked up once for each place in the code: there are some hundred, and thousands of allocations. */
const char *vx_allocation_name(const void *caller)
{
	static struct {
		const void *caller;
		const char *name;
	} found[FOUND_MAX] VX_LEFT;
	unsigned int slot = (unsigned long)caller % FOUND_MAX;

	if (found[slot].caller != caller) {
		found[slot].caller = caller;
		found[slot].name = find_name(caller);
	}
	return found[slot].name;
}

/* `name` as vx_allocation_name() gives it; what has none does not fail. */
bool vx_allocation_fails(const char *name)
{
	if (!begun || !name || !(vx_shared.faults & VX_FAIL_ALLOCATIONS))
		return false;
	return vx_ask(VX_ALLOCATION_FAILS, (unsigned long)name, 0, 0, 0);
}

/* Of a packet's parts, descriptor and payload first. */
bool vx_ring_is_full(const struct kvec *parts, u32 count)
{
	if (!(vx_shared.faults & VX_FILL_RINGS) || count < 2)
		return false;
	return vx_ask(VX_RING_IS_FULL, (unsigned long)parts[1].iov_base, parts[1].iov_len, 0, 0);
}
