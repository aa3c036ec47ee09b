/* SPDX-License-Identifier: GPL-2.0-only */
/* What happens to a bus: its states, domain, windows, power and version; what its ends return. */
#include "driver_types.h"

#define BUSES_MAX 512

static struct vx_bus buses[BUSES_MAX] VX_OWN;
static unsigned int buses_count;

static struct hv_device *device_argument(const struct vx_watched *call)
{
	return (void *)call->arguments[0];
}

/* The record of a bus that is there; a new one of a bus that was not seen so far. */
struct vx_bus *vx_bus_of(struct hv_pcibus_device *hbus)
{
	struct vx_bus *bus, *vacant = NULL;
	u32 relid;

	for (bus = buses; bus < buses + buses_count; bus++) {
		if (bus->hbus == hbus)
			break;
		if (!bus->hbus)
			vacant = bus;
	}
	if (bus == buses + buses_count) {
		bus = vacant ? vacant : &buses[buses_count++];
		*bus = (struct vx_bus){ .hbus = hbus };
	}
	relid = vx_relid(hbus->hdev);
	if (relid != INVALID_RELID) /* else the number it had: it was not offered again */
		bus->relid = relid;
	return bus;
}

struct vx_bus *vx_next_bus(struct vx_bus *after)
{
	struct vx_bus *bus = after ? after + 1 : buses;

	while (bus < buses + buses_count && !(bus->hbus && vx_is_live(bus->hbus)))
		bus++;
	return bus < buses + buses_count ? bus : NULL;
}

/* --- states --- */

static void look_at_state(struct vx_watched *call)
{
	static const char *const names[] = { "init", "probed", "installed", "removing" };
	struct vx_bus *bus = (void *)call->kept[0];

	if (!bus || !vx_is_live(bus->hbus) || bus->hbus->state == bus->state)
		return;
	bus->state = bus->hbus->state;
	vx_tell(BUS_STATE_CHANGED, names[bus->state], bus->relid);
}

static void begin(struct vx_watched *call)
{
	call->kept[0] = (u64)vx_bus_of(vx_hbus_of(device_argument(call)));
	call->kept[1] = ((struct vx_bus *)call->kept[0])->relid;
}

static void forget(struct vx_watched *call)
{
	struct vx_bus *bus = (void *)call->kept[0];

	if (!bus)
		return;
	vx_forget_children(bus);
	bus->hbus = NULL;
}

/* --- probe and remove --- */

static void probe_begins(struct vx_watched *call)
{
	call->kept[1] = vx_relid(device_argument(call));
}

static void part_ended(struct vx_watched *call, const struct vx_watched *inner)
{
	if (!strcmp(inner->what->function, "hv_pci_protocol_negotiation"))
		call->kept[0] = (u64)vx_bus_of(vx_hbus_of(device_argument(call)));
	else
		vx_tell_domain(call->kept[1], inner);
}

static void probe_ends(struct vx_watched *call)
{
	if ((int)call->result)
		forget(call);
	vx_tell(FUNCTION_RETURNED, call->what->function, call->kept[1], (int)call->result);
}

static void remove_ends(struct vx_watched *call)
{
	forget(call);
	vx_tell(DRIVER_REMOVED, NULL, call->kept[1]);
}

static void half_ends(struct vx_watched *call)
{
	vx_tell(FUNCTION_RETURNED, call->what->function, call->kept[1], (int)call->result);
}

VX_WATCH(hv_pci_probe, .enter = probe_begins, .look = look_at_state, .leave = probe_ends,
	 .inner = part_ended);
VX_WATCH(hv_pci_remove, .enter = begin, .look = look_at_state, .leave = remove_ends,
	 .inner = part_ended);
VX_WATCH(hv_pci_suspend, .enter = begin, .look = look_at_state, .leave = half_ends);
VX_WATCH(hv_pci_resume, .enter = begin, .look = look_at_state, .leave = half_ends);

static void root_bus_goes(struct vx_watched *call)
{
	struct vx_watched *remove = vx_within(call, "hv_pci_remove");

	if (remove)
		vx_tell(ROOT_BUS_REMOVAL_BEGAN, NULL, remove->kept[1]);
}

VX_WATCH(pci_stop_root_bus, .enter = root_bus_goes);

/* --- version, windows --- */

static void negotiated(struct vx_watched *call)
{
	const struct hv_pcibus_device *hbus = vx_hbus_of(device_argument(call));
	char version[16];

	vx_told_failure(call, vx_relid(device_argument(call)));
	if ((int)call->result)
		return;
	snprintf(version, sizeof(version), "%u.%u", hbus->protocol_version >> 16,
		 hbus->protocol_version & 0xffff);
	vx_tell(VERSION_NEGOTIATED, version, vx_relid(device_argument(call)));
}

static void window_claimed(struct vx_watched *call, const struct vx_watched *inner)
{
	struct hv_pcibus_device *hbus = (void *)call->arguments[0];
	struct resource **window = (void *)inner->arguments[0];

	if (!(int)inner->result && !strcmp(inner->what->function, "vmbus_allocate_mmio"))
		vx_tell(BRIDGE_WINDOW_ALLOCATED, window == &hbus->low_mmio_res ? "low" : "high",
			vx_relid(hbus->hdev), (*window)->start, inner->arguments[4]);
}

static void bus_function_ends(struct vx_watched *call)
{
	struct hv_pcibus_device *hbus = (void *)call->arguments[0];

	vx_told_failure(call, vx_relid(hbus->hdev));
}

VX_WATCH(hv_pci_protocol_negotiation, .leave = negotiated);
VX_WATCH(vmbus_allocate_mmio);
VX_WATCH(hv_allocate_config_window, .leave = bus_function_ends);
VX_WATCH(hv_pci_allocate_bridge_windows, .leave = bus_function_ends, .inner = window_claimed);

/* --- power --- */

static void d0_entered(struct vx_watched *call)
{
	struct hv_device *hdev = device_argument(call);

	vx_told_failure(call, vx_relid(hdev));
	if (!(int)call->result)
		vx_tell(D0_ENTERED, NULL, vx_relid(hdev), vx_hbus_of(hdev)->mem_config->start);
}

static void exit_begins(struct vx_watched *call)
{
	call->kept[0] = (u64)vx_bus_of(vx_hbus_of(device_argument(call)));
}

static void exit_looks(struct vx_watched *call)
{
	vx_look_for_removed((void *)call->kept[0], "bus-exit");
}

static void exit_part_ended(struct vx_watched *call, const struct vx_watched *inner)
{
	if (!strcmp(inner->what->function, "hv_send_resources_released"))
		call->kept[1] = !(int)inner->result; /* what follows is the exit itself */
}

static void exit_ends(struct vx_watched *call)
{
	if (call->kept[1])
		vx_tell(D0_LEFT, NULL, ((struct vx_bus *)call->kept[0])->relid, (int)call->result);
}

VX_WATCH(hv_pci_enter_d0, .leave = d0_entered);
VX_WATCH(hv_pci_bus_exit, .enter = exit_begins, .look = exit_looks, .leave = exit_ends,
	 .inner = exit_part_ended);

/* --- resources --- */

static void assigning(struct vx_watched *call)
{
	call->kept[0] = (u64)vx_hbus_of(device_argument(call));
	call->kept[1] = vx_hbus_of(device_argument(call))->wslot_res_allocated;
}

/* The driver writes down the last slot whose answer was good. */
static void look_at_assigned(struct vx_watched *call)
{
	struct hv_pcibus_device *hbus = (void *)call->kept[0];

	if (hbus->wslot_res_allocated == (int)call->kept[1])
		return;
	call->kept[1] = hbus->wslot_res_allocated;
	vx_tell(RESOURCES_ASSIGNED, NULL, vx_relid(hbus->hdev), hbus->wslot_res_allocated);
}

static void assigned(struct vx_watched *call)
{
	vx_told_failure(call, vx_relid(device_argument(call)));
}

static void released(struct vx_watched *call, const struct vx_watched *inner)
{
	const struct pci_child_message *message = (void *)inner->arguments[1];

	if (!(int)inner->result && !strcmp(inner->what->function, "vmbus_sendpacket"))
		vx_tell(RESOURCES_RELEASED, NULL, vx_relid(device_argument(call)),
			message->wslot.slot);
}

VX_WATCH(hv_send_resources_allocated, .enter = assigning, .look = look_at_assigned,
	 .leave = assigned);
VX_WATCH(hv_send_resources_released, .inner = released);
VX_WATCH(vmbus_sendpacket);

/* --- configuration blocks --- */

static void block_ends(struct vx_watched *call)
{
	const struct pci_dev *dev = (void *)call->arguments[0];
	struct hv_pcibus_device *hbus =
		container_of(dev->bus->sysdata, struct hv_pcibus_device, sysdata);

	vx_told_failure(call, vx_relid(hbus->hdev));
}

VX_WATCH(hv_read_config_block, .leave = block_ends);
VX_WATCH(hv_write_config_block, .leave = block_ends);
