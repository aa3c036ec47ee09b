/* SPDX-License-Identifier: GPL-2.0-only */
/* What happens to interrupts' messages: composed or not, given back, aimed. */
#include "driver_types.h"

#define FRAME_BYTES 4096 /* more than the frame of hv_compose_msi_msg() */
#define DUMMY_VECTOR 32 /* of a multi-MSI block; the others of a block count from it */

enum progress { NOTHING_YET, NO_FUNCTION, NOT_SENT, SENT, REFUSED };

static struct vx_watched *composing[VX_CPUS_MAX] VX_OWN;

static bool is_block(struct msi_desc *desc)
{
	return !desc->pci.msi_attrib.is_msix && desc->nvec_used > 1;
}

static struct hv_pcibus_device *hbus_of(struct irq_data *data)
{
	struct pci_dev *dev = msi_desc_to_pci_dev(irq_data_get_msi_desc(data));

	return container_of(dev->bus->sysdata, struct hv_pcibus_device, sysdata);
}

static u32 wslot_of(struct irq_data *data)
{
	return devfn_to_wslot(msi_desc_to_pci_dev(irq_data_get_msi_desc(data))->devfn);
}

/* --- composed --- */

static void compose_begins(struct vx_watched *call)
{
	struct irq_data *data = (void *)call->arguments[0];

	call->kept[0] = data->chip_data && is_block(irq_data_get_msi_desc(data)); /* the old one serves */
	call->kept[4] = DUMMY_VECTOR + data->irq - irq_data_get_msi_desc(data)->irq;
	composing[vx_current->cpu] = call;
}

static void compose_part_ended(struct vx_watched *call, const struct vx_watched *inner)
{
	const char *function = inner->what->function;

	if (!strcmp(function, "get_pcichild_wslot") && !inner->result)
		call->kept[1] = NO_FUNCTION;
	else if (!strcmp(function, "hv_compose_msi_req_v1"))
		call->kept[4] = (u8)inner->arguments[2];
	else if (!strcmp(function, "hv_compose_msi_req_v2"))
		call->kept[4] = (u8)inner->arguments[3];
	else if (!strcmp(function, "hv_compose_msi_req_v3"))
		call->kept[4] = (u32)inner->arguments[3];
	else if (!strcmp(function, "vmbus_sendpacket_getid")) {
		call->kept[1] = (int)inner->result ? NOT_SENT : SENT;
		call->kept[2] = inner->result;
	}
}

/* The answer is on the stack of whoever composes, below its call. */
static void answered(struct vx_watched *call)
{
	const struct compose_comp_ctxt *answer = (void *)call->arguments[0];
	unsigned int cpu;

	for (cpu = 0; cpu < VX_CPUS_MAX; cpu++) {
		struct vx_watched *asker = composing[cpu];

		if (!asker || (u64)asker - (u64)answer > FRAME_BYTES)
			continue;
		asker->kept[2] = answer->comp_pkt.completion_status;
		if ((int)asker->kept[2] < 0)
			asker->kept[1] = REFUSED;
	}
}

static void not_composed(struct vx_watched *call, struct irq_data *data)
{
	static const char *const reasons[] = {
		[NOTHING_YET] = "out of memory",
		[NO_FUNCTION] = "no such function",
		[NOT_SENT] = "sending gave %d",
		[SENT] = "the device has gone",
		[REFUSED] = "status %#x",
	};
	char reason[64];

	snprintf(reason, sizeof(reason), reasons[call->kept[1]], (int)call->kept[2]);
	vx_tell(MSI_NOT_COMPOSED, reason, vx_relid(hbus_of(data)->hdev), data->irq);
}

static void compose_ends(struct vx_watched *call)
{
	struct irq_data *data = (void *)call->arguments[0];
	const struct msi_msg *msg = (void *)call->arguments[1];
	const struct tran_int_desc *mapping = data->chip_data;

	composing[vx_current->cpu] = NULL;
	if (call->kept[0])
		return;
	if (!msg->address_lo && !msg->address_hi && !msg->data)
		not_composed(call, data);
	else
		vx_tell(MSI_COMPOSED, NULL, vx_relid(hbus_of(data)->hdev), wslot_of(data), data->irq,
			call->kept[4], mapping->vector_count, mapping->address, mapping->data);
}

VX_WATCH(hv_compose_msi_msg, .enter = compose_begins, .leave = compose_ends,
	 .inner = compose_part_ended);
VX_WATCH(hv_compose_msi_req_v1);
VX_WATCH(hv_compose_msi_req_v2);
VX_WATCH(hv_compose_msi_req_v3);
VX_WATCH(hv_pci_compose_compl, .leave = answered);
VX_WATCH(get_pcichild_wslot);
VX_WATCH(vmbus_sendpacket_getid);

/* --- given back --- */

static void tell_freed(struct vx_watched *call)
{
	const struct hv_pci_dev *hpdev = (void *)call->arguments[0];

	vx_tell(MSI_FREED, NULL, vx_relid(hpdev->hbus->hdev), hpdev->desc.win_slot.slot, call->kept[0],
		call->kept[1]);
}

static void freeing(struct vx_watched *call)
{
	const struct tran_int_desc *mapping = (void *)call->arguments[1];

	call->kept[0] = mapping->address;
	call->kept[1] = mapping->data;
	if (!mapping->vector_count) /* it is part of a block: the host is told nothing */
		tell_freed(call);
}

static void freed(struct vx_watched *call, const struct vx_watched *inner)
{
	if (!strcmp(inner->what->function, "vmbus_sendpacket"))
		tell_freed(call);
}

VX_WATCH(hv_int_desc_free, .enter = freeing, .inner = freed);

/* --- aimed --- */

/* The vector of the interrupt, as the lowest of its domains keeps it: irqd_cfg(). */
static unsigned int vector_of(const struct irq_data *data)
{
	while (data->parent_data)
		data = data->parent_data;
	return ((const struct irq_cfg *)data->chip_data)->vector;
}

static void aiming(struct vx_watched *call)
{
	struct irq_data *data = (void *)call->arguments[0];

	call->kept[0] = data->chip_data != NULL; /* else it says so, and asks nobody */
	call->kept[1] = vx_current->asked;
}

static void aimed(struct vx_watched *call)
{
	struct irq_data *data = (void *)call->arguments[0];
	u64 status = vx_current->asked == call->kept[1] ? 1 : vx_current->answer & 0xffff;
	u64 cpus[VX_CPUS_MAX / 64] = {};
	unsigned int cpu;

	if (!call->kept[0])
		return;
	for_each_cpu_and(cpu, irq_data_get_effective_affinity_mask(data), cpu_online_mask)
		cpus[cpu / 64] |= 1ull << cpu % 64;
	vx_tell(MSI_RETARGETED, NULL, vx_relid(hbus_of(data)->hdev), data->irq, cpus[0], cpus[1],
		cpus[2], cpus[3], vector_of(data), status);
}

VX_WATCH(hv_arch_irq_unmask, .enter = aiming, .leave = aimed);
