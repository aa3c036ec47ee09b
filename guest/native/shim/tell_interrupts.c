/* SPDX-License-Identifier: GPL-2.0-only */
/* What happens to interrupts in the kernel's own files, and to offers in VMBus. */
#include <linux/hyperv.h>
#include <linux/irq.h>

#include "telling.h"

/* --- vectors and handlers --- */

static void vector_given(struct vx_watched *call)
{
	struct irq_data *data = (void *)call->arguments[0];

	vx_tell(VECTOR_ALLOCATED, NULL, data->irq, (u32)call->arguments[2], (u32)call->arguments[1],
		irqd_affinity_is_managed(data));
}

static void requested(struct vx_watched *call)
{
	if (!(int)call->result)
		vx_tell(INTERRUPT_REQUESTED, (void *)call->arguments[4], (u32)call->arguments[0]);
}

static void freed(struct vx_watched *call)
{
	if (call->result)
		vx_tell(INTERRUPT_FREED, (void *)call->result, (u32)call->arguments[0]);
}

static void shut_down(struct vx_watched *call)
{
	struct irq_desc *desc = (void *)call->arguments[0];

	if (irqd_is_managed_and_shutdown(&desc->irq_data))
		vx_tell(INTERRUPT_SHUT_DOWN, NULL, desc->irq_data.irq, vx_current->cpu);
}

VX_WATCH(apic_update_vector, .leave = vector_given);
VX_WATCH(request_threaded_irq, .leave = requested);
VX_WATCH(free_irq, .leave = freed);
VX_WATCH(irq_shutdown_and_deactivate, .leave = shut_down);

/* --- channels --- */

static void look_at_rescind(struct vx_watched *call)
{
	const struct vmbus_channel *channel = (void *)call->arguments[0];

	if (call->kept[0] || !channel->rescind)
		return;
	call->kept[0] = true;
	vx_tell(RESCIND_FLAG_RAISED, NULL, channel->offermsg.child_relid);
}

VX_WATCH(vmbus_rescind_cleanup, .look = look_at_rescind);

static void closing(struct vx_watched *call)
{
	const struct vmbus_channel *channel = (void *)call->arguments[0];

	call->kept[0] = channel->state == CHANNEL_OPENED_STATE;
	call->kept[1] = channel->offermsg.child_relid;
}

/* That a channel could not be closed is all that its driver never hears of. */
static void closed(struct vx_watched *call)
{
	if (call->kept[0] && (int)call->result)
		vx_tell(FUNCTION_RETURNED, "vmbus_close", call->kept[1], (int)call->result);
}

VX_WATCH(vmbus_disconnect_ring, .enter = closing, .leave = closed);

/* --- the whole machine: under relid 0, which no channel has --- */

static void bus_half_ends(struct vx_watched *call)
{
	vx_tell(FUNCTION_RETURNED, call->what->function, 0, (int)call->result);
}

VX_WATCH(vmbus_bus_suspend, .leave = bus_half_ends);
VX_WATCH(vmbus_bus_resume, .leave = bus_half_ends);
