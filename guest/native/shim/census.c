/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The census at the end of a run, as guest/reference.py takes it of the model: numbered things that
 * are taken and that no living bus or channel accounts for, and names for objects that are lost.
 */
#include "driver_types.h"
#include "../../drivers/base/base.h"
#include "../../drivers/hv/hyperv_vmbus.h"

u32 vx_domains_taken(void); /* driver.c or tell_domains.c */

/* Beyond those that vx_allocation_name() knows, which can fail. By the function that allocates. */
static const struct {
	const char *function, *name;
} kinds[] = {
	{ "alloc_workqueue", "WorkQueue" },
	{ "alloc_workqueue_noprof", "WorkQueue" },
	{ "bitmap_alloc", "bitmap" },
	{ "hv_ringbuffer_init", "packet buffer" },
	{ "make_queue", "WorkQueue" },
	{ "request_arr_init", "Requestor" },
	{ "vmbus_alloc_ring", "block of pages" },
	{ "vmbus_device_create", "HvDevice" },
	{ "vmbus_on_msg_dpc", "OnMessageWork" },
	{ "__vmbus_on_msg_dpc", "OnMessageWork" }, /* where a paravisor may have a page of its own */
};

/* What an object is that was allocated there; NULL if nobody gave it a name. */
VX_EXPORT const char *vx_kind_of_object(const void *allocated_by)
{
	const char *function = vx_function_name(allocated_by);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].function, function))
			return kinds[i].name;
	return vx_allocation_name(allocated_by);
}

static DECLARE_BITMAP(refused, HV_EVENT_FLAGS_COUNT);

/* A confidential VM leaves devices of some kinds alone, and tells nobody. */
static void remember_refused(struct vx_watched *call)
{
	const struct vmbus_channel_offer_channel *offer = (const void *)call->arguments[0];

	if (!(u8)call->result && offer->child_relid < HV_EVENT_FLAGS_COUNT)
		set_bit(offer->child_relid, refused);
}

VX_WATCH(vmbus_is_valid_offer, .leave = remember_refused);

/* Whether a channel that lives has that number, and the host has not taken it back; or none may have. */
VX_EXPORT u32 vx_relid_in_use(u32 relid)
{
	const struct vmbus_channel *channel;

	if (!vmbus_connection.channels || relid >= MAX_CHANNEL_RELIDS)
		return false;
	if (relid < HV_EVENT_FLAGS_COUNT && test_bit(relid, refused))
		return true;
	channel = vmbus_connection.channels[relid];
	return channel && vx_is_live(channel) && !channel->rescind;
}

/*
 * Why a device's probe is deferred. Model: somebody always needs that. The driver core loses it where a
 * driver registers while the device is still being added (docs/findings.md), which no driver can help.
 */
static void keep_reason(struct vx_watched *call)
{
	const struct device *dev = (const struct device *)call->arguments[0];

	if (dev->p->deferred_probe_reason)
		vx_is_root(dev->p->deferred_probe_reason);
}

VX_WATCH(device_set_deferred_probe_reason, .leave = keep_reason);

/*
 * The name of a function that the scan gives up, since it was taken away meanwhile. Model: somebody
 * always needs that, too. pci_scan_device() frees the function and not its name (docs/findings.md).
 */
static void keep_name(struct vx_watched *call)
{
	const struct pci_dev *dev = (const struct pci_dev *)call->arguments[0];

	if ((int)call->result && dev->dev.kobj.name)
		vx_is_root(dev->dev.kobj.name);
}

VX_WATCH(pci_setup_device, .leave = keep_name);

/* --- what is taken, less what living buses have --- */

/* The ranges that are taken inside of one that VMBus may hand out: a mark of its own for each... */
static int marks_in(const struct resource *range)
{
	const struct resource *taken;
	int count = 0;

	for (taken = range->child; taken; taken = taken->sibling)
		count++;
	return count;
}

/*
 * ...and the range itself, among all addresses. A bridge window that could not be given back takes the
 * next one of its device for its child.
 */
static int ranges_in(const struct resource *range)
{
	const struct resource *taken, *nested;
	int count = 0;

	for (taken = iomem_resource.child; taken; taken = taken->sibling)
		for (nested = taken; nested && nested->name == taken->name; nested = nested->child)
			count += nested->start >= range->start && nested->end <= range->end;
	return count;
}

static int windows_held(void)
{
	struct resource *const *mmio = vx_function_named("hyperv_mmio", NULL);
	struct resource *const *framebuffer = vx_function_named("fb_mmio", NULL);
	int marks = framebuffer && *framebuffer ? -1 : 0, ranges = 0, windows = 0;
	const struct resource *range;
	struct vx_bus *bus = NULL;

	for (range = mmio ? *mmio : NULL; range; range = range->sibling) {
		marks += marks_in(range);
		ranges += ranges_in(range);
	}
	while ((bus = vx_next_bus(bus)))
		windows += !!bus->hbus->mem_config + !!bus->hbus->low_mmio_res +
			   !!bus->hbus->high_mmio_res;
	return max(marks, ranges) - windows;
}

static int domains_held(void)
{
	int held = vx_domains_taken();
	struct vx_bus *bus = NULL;

	while ((bus = vx_next_bus(bus)))
		held--;
	return held;
}

/* Functions of one device have one slot between them. */
static bool is_first_of_slot(const struct hv_pci_dev *hpdev)
{
	const struct hv_pci_dev *other;

	list_for_each_entry(other, &hpdev->hbus->children, list_entry)
		if (other->pci_slot == hpdev->pci_slot)
			return other == hpdev;
	return false;
}

static int slots_held(void)
{
	struct kset *slots = *(struct kset *const *)vx_function_named("pci_slots_kset", NULL);
	int held = slots ? list_count_nodes(&slots->list) : 0;
	const struct hv_pci_dev *hpdev;
	struct vx_bus *bus = NULL;

	while ((bus = vx_next_bus(bus)))
		list_for_each_entry(hpdev, &bus->hbus->children, list_entry)
			held -= hpdev->pci_slot && is_first_of_slot(hpdev);
	return held;
}

static int requests_held(void)
{
	const struct vmbus_channel *channel;
	int held = 0;

	if (!vmbus_connection.chn_list.next) /* VMBus has not come that far */
		return 0;
	list_for_each_entry(channel, &vmbus_connection.chn_list, listentry)
		if (vx_is_live(channel->requestor.req_bitmap))
			held += bitmap_weight(channel->requestor.req_bitmap,
					      channel->requestor.size);
	return held;
}

static const struct {
	const char *name;
	int (*held)(void);
} numbered[] = {
	{ "MMIO range", windows_held },
	{ "PCI domain", domains_held },
	{ "PCI slot", slots_held },
	{ "request id", requests_held },
};

/* How many of a kind are held for nothing; the kinds are counted from 0, -1 behind the last. */
VX_EXPORT int vx_held_for_nothing(u32 kind, const char **name)
{
	if (kind >= ARRAY_SIZE(numbered))
		return -1;
	*name = numbered[kind].name;
	return max(numbered[kind].held(), 0);
}
