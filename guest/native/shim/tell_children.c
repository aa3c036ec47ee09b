/* SPDX-License-Identifier: GPL-2.0-only */
/* What happens to functions: linked, unlinked, freed; lists, ejects and slots. */
#include "driver_types.h"

#define CHILDREN_MAX 4096

static struct vx_child children[CHILDREN_MAX] VX_OWN;
static unsigned int children_count;

static struct vx_child *child_of(const struct hv_pci_dev *hpdev)
{
	struct vx_child *child;

	for (child = children; child < children + children_count; child++)
		if (child->hpdev == hpdev)
			return child;
	return NULL;
}

/* Whether it is where a list's entries are; a list that is damaged is not walked to its end. */
static bool is_child(struct list_head *entry, struct hv_pcibus_device *hbus)
{
	return entry != &hbus->children && vx_is_live(list_entry(entry, struct hv_pci_dev, list_entry));
}

static bool on_list(const struct hv_pci_dev *hpdev, struct hv_pcibus_device *hbus)
{
	struct list_head *entry;

	for (entry = hbus->children.next; is_child(entry, hbus); entry = entry->next)
		if (entry == &hpdev->list_entry)
			return true;
	return false;
}

/* --- linked --- */

static void added(struct vx_bus *bus, struct hv_pci_dev *hpdev)
{
	struct vx_child *child = child_of(NULL);

	if (!child && children_count == CHILDREN_MAX)
		return;
	if (!child)
		child = &children[children_count++];
	*child = (struct vx_child){
		.hpdev = hpdev, .bus = bus, .wslot = hpdev->desc.win_slot.slot,
		.serial = hpdev->desc.ser, .linked = true,
	};
	vx_tell(CHILD_ADDED, NULL, bus->relid, child->wslot, hpdev->desc.v_id, hpdev->desc.d_id,
		child->serial);
}

/* New ones are linked at the end. */
void vx_look_for_added(struct vx_bus *bus)
{
	struct list_head *entry = bus->hbus->children.prev;

	if (is_child(entry, bus->hbus) && !child_of(list_entry(entry, struct hv_pci_dev, list_entry)))
		added(bus, list_entry(entry, struct hv_pci_dev, list_entry));
}

static void making(struct vx_watched *call)
{
	call->kept[0] = (u64)vx_bus_of((void *)call->arguments[0]);
}

static void look_at_making(struct vx_watched *call)
{
	vx_look_for_added((void *)call->kept[0]);
}

VX_WATCH(new_pcichild_device, .enter = making, .look = look_at_making);

/* --- unlinked and freed --- */

void vx_look_for_removed(struct vx_bus *bus, const char *why)
{
	struct vx_child *child;

	if (!vx_is_live(bus->hbus))
		return;
	for (child = children; child < children + children_count; child++) {
		if (!child->linked || child->bus != bus || on_list(child->hpdev, bus->hbus))
			continue;
		child->linked = false;
		vx_tell(CHILD_REMOVED, why, bus->relid, child->wslot, child->serial);
	}
}

void vx_forget_children(const struct vx_bus *bus)
{
	struct vx_child *child;

	for (child = children; child < children + children_count; child++)
		if (child->bus == bus)
			child->linked = false;
}

static void put_ends(struct vx_watched *call)
{
	struct vx_child *child = child_of((void *)call->arguments[0]);

	if (!child || vx_is_live(child->hpdev))
		return;
	child->hpdev = NULL;
	child->linked = false;
	vx_tell(CHILD_FREED, NULL, child->bus->relid, child->wslot, child->serial);
}

VX_WATCH(put_pcichild, .leave = put_ends);

/* --- lists --- */

static void queueing(struct vx_watched *call)
{
	call->kept[0] = (u64)vx_bus_of((void *)call->arguments[0]);
}

/* A list is seen from when it is linked; one that is not the first is taken by another one's work. */
static void look_at_queueing(struct vx_watched *call)
{
	struct vx_bus *bus = (void *)call->kept[0];
	struct hv_dr_state *dr = (void *)call->arguments[1];

	if (call->kept[1] || !vx_is_live(dr) || !dr->list_entry.next)
		return;
	call->kept[1] = true;
	bus->lists_waiting++;
	bus->newest_count = dr->device_count;
	vx_tell(RELATIONS_QUEUED, NULL, bus->relid, dr->device_count,
		dr->list_entry.prev != &bus->hbus->dr_list);
}

static void queued(struct vx_watched *call)
{
	if ((int)call->result == -ENOENT)
		vx_tell(MESSAGE_IGNORED, "BUS_RELATIONS", ((struct vx_bus *)call->kept[0])->relid);
}

static void presenting(struct vx_watched *call)
{
	const struct hv_dr_work *work =
		container_of((struct work_struct *)call->arguments[0], struct hv_dr_work, wrk);

	call->kept[0] = (u64)vx_bus_of(work->bus);
}

/* The work takes all lists that wait at once, under their lock; the newest is the one that counts. */
static void look_at_presenting(struct vx_watched *call)
{
	struct vx_bus *bus = (void *)call->kept[0];

	if (!vx_is_live(bus->hbus))
		return;
	if (!call->kept[1] && bus->lists_waiting && list_empty(&bus->hbus->dr_list)) {
		call->kept[1] = true;
		call->kept[2] = bus->newest_count;
		bus->lists_waiting = 0;
	}
	vx_look_for_removed(bus, "relations");
}

static void presented(struct vx_watched *call)
{
	if (!call->kept[1])
		return;
	call->kept[1] = false;
	vx_tell(RELATIONS_PROCESSED, NULL, ((struct vx_bus *)call->kept[0])->relid, call->kept[2]);
}

/* The children agree with the list when the work goes on to tell others of it. */
static void children_agree(struct vx_watched *call)
{
	if (call->outer && !strcmp(call->outer->what->function, "pci_devices_present_work"))
		presented(call->outer);
}

VX_WATCH(hv_pci_start_relations_work, .enter = queueing, .look = look_at_queueing, .leave = queued);
VX_WATCH(pci_devices_present_work, .enter = presenting, .look = look_at_presenting,
	 .leave = presented);
VX_WATCH(survey_child_resources, .enter = children_agree);
VX_WATCH(pci_lock_rescan_remove, .enter = children_agree);

/* --- ejects --- */

static bool work_waits(const struct hv_pci_dev *hpdev)
{
	return atomic_long_read(&hpdev->wrk.data) & WORK_STRUCT_PENDING;
}

static void eject_queued(struct vx_watched *call)
{
	call->kept[1] = true;
	vx_tell(EJECT_QUEUED, NULL, ((struct vx_bus *)call->kept[0])->relid, call->kept[4]);
}

static void ejecting(struct vx_watched *call)
{
	const struct hv_pci_dev *hpdev = (void *)call->arguments[0];

	call->kept[0] = (u64)vx_bus_of(hpdev->hbus);
	call->kept[2] = work_waits(hpdev); /* it is queued a second time */
	call->kept[3] = hpdev->hbus->state == hv_pcibus_removing;
	call->kept[4] = hpdev->desc.win_slot.slot;
	if (call->kept[2] && !call->kept[3])
		eject_queued(call); /* it may not come out of that */
}

static void look_at_ejecting(struct vx_watched *call)
{
	const struct hv_pci_dev *hpdev = (void *)call->arguments[0];

	if (!call->kept[1] && !call->kept[2] && vx_is_live(hpdev) && work_waits(hpdev))
		eject_queued(call);
}

static void eject_asked(struct vx_watched *call)
{
	if (call->kept[1])
		return;
	vx_tell(MESSAGE_IGNORED, "EJECT", ((struct vx_bus *)call->kept[0])->relid);
}

static void eject_begins(struct vx_watched *call)
{
	const struct hv_pci_dev *hpdev =
		container_of((struct work_struct *)call->arguments[0], struct hv_pci_dev, wrk);

	call->kept[0] = (u64)vx_bus_of(hpdev->hbus);
	call->kept[1] = (u64)hpdev;
}

static void look_at_eject(struct vx_watched *call)
{
	vx_look_for_removed((void *)call->kept[0], "eject");
}

static void eject_answered(struct vx_watched *call, const struct vx_watched *inner)
{
	const struct pci_eject_response *response = (void *)inner->arguments[1];

	if (!strcmp(inner->what->function, "vmbus_sendpacket"))
		vx_tell(EJECT_COMPLETED, NULL, ((struct vx_bus *)call->kept[0])->relid,
			response->wslot.slot, (int)inner->result);
}

VX_WATCH(hv_pci_eject_device, .enter = ejecting, .look = look_at_ejecting, .leave = eject_asked);
VX_WATCH(hv_eject_device_work, .enter = eject_begins, .look = look_at_eject,
	 .inner = eject_answered);

/* --- slots --- */

static void slot_made(struct vx_watched *call, const struct vx_watched *inner)
{
	struct hv_pcibus_device *hbus = (void *)call->arguments[0];
	const char *name = (void *)inner->arguments[2];
	struct vx_child *child;
	char serial[16];

	if (IS_ERR((void *)inner->result) || strcmp(inner->what->function, "pci_create_slot"))
		return;
	for (child = children; child < children + children_count; child++) {
		snprintf(serial, sizeof(serial), "%u", child->serial);
		if (child->linked && child->bus->hbus == hbus && !child->hpdev->pci_slot &&
		    PCI_SLOT(wslot_to_devfn(child->wslot)) == inner->arguments[1] &&
		    !strncmp(serial, name, SLOT_NAME_SIZE - 1))
			break;
	}
	if (child == children + children_count)
		return;
	child->has_slot = true;
	vx_tell(CHILD_SLOT_CREATED, name, child->bus->relid, child->wslot);
}

/* Functions of one device share its slot; the driver gives it up for one after the other. */
static struct vx_child *owner_of(const struct vx_watched *call, const struct pci_slot *slot)
{
	struct vx_watched *eject = vx_within(call->outer, "hv_eject_device_work");
	struct vx_child *child, *found = NULL;

	if (eject)
		return child_of((void *)eject->kept[1]);
	for (child = children; child < children + children_count; child++) {
		if (!child->hpdev || !child->has_slot || child->hpdev->pci_slot != slot)
			continue;
		if (!child->linked)
			return child;
		found = found ? found : child;
	}
	return found;
}

static void slot_goes(struct vx_watched *call)
{
	struct vx_child *child = owner_of(call, (void *)call->arguments[0]);

	if (!child || !child->has_slot)
		return;
	child->has_slot = false;
	vx_tell(CHILD_SLOT_DESTROYED, NULL, child->bus->relid, child->wslot);
}

VX_WATCH(hv_pci_assign_slots, .inner = slot_made);
VX_WATCH(pci_create_slot);
VX_WATCH(pci_destroy_slot, .leave = slot_goes);
