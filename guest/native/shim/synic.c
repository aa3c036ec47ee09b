/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The synthetic interrupt controller, as the host uses it: a slot for one message and a bit for each
 * channel on every CPU. A message that finds its slot taken waits until the guest says that it is
 * free, as the TLFS has it (11.8, "SynIC message buffers").
 */
#include <linux/hyperv.h>
#include <asm/mshyperv.h>

#include "shim.h"
#include "synic.h"
#include "hyperv_vmbus.h"

#define WAITING_MAX 256
#define SLOT_BYTES 256

static struct waiting {
	u32 cpu, size;
	u8 message[SLOT_BYTES];
} waiting[WAITING_MAX] VX_LEFT; /* for a slot, the oldest first */
static u32 waiting_count;

/* NULL before the guest has given the CPU a page: what comes then comes to nothing. */
static u8 *slot_of(u64 page)
{
	return page ? (u8 *)page + VMBUS_MESSAGE_SINT * SLOT_BYTES : NULL;
}

static bool waits_for(u32 cpu)
{
	u32 i;

	for (i = 0; i < waiting_count; i++)
		if (waiting[i].cpu == cpu)
			return true;
	return false;
}

static void say_that_more_wait(struct hv_message *slot)
{
	slot->header.message_flags.msg_pending = 1;
}

VX_EXPORT void vx_deliver_message(u32 cpu, const void *message, u32 size, u32 online)
{
	struct hv_message *slot = (struct hv_message *)slot_of(vx_message_page(cpu));
	struct waiting *last = &waiting[waiting_count];
	VX_DOOR;

	if (!slot)
		return;
	if (slot->header.message_type == HVMSG_NONE) {
		vx_copy(slot, message, size);
		if (online)
			vx_callback_interrupt(cpu);
		return;
	}
	say_that_more_wait(slot);
	if (waiting_count == WAITING_MAX || size > SLOT_BYTES)
		return; /* Model: a host that posts more than so many is told nothing */
	last->cpu = cpu;
	last->size = size;
	vx_copy(last->message, message, size);
	waiting_count++;
}

static void deliver_next(u32 cpu)
{
	struct hv_message *slot = (struct hv_message *)slot_of(vx_message_page(cpu));
	struct waiting next;
	u32 i;

	if (!waits_for(cpu) || !slot || slot->header.message_type != HVMSG_NONE)
		return;
	for (i = 0; waiting[i].cpu != cpu; i++)
		;
	vx_copy(&next, &waiting[i], sizeof(next));
	for (waiting_count--; i < waiting_count; i++)
		vx_copy(&waiting[i], &waiting[i + 1], sizeof(next));
	vx_deliver_message(cpu, next.message, next.size, !vx_is_crashing);
	if (waits_for(cpu)) /* the guest asks for the next one only if it is told that there is one */
		say_that_more_wait(slot);
}

/* End of message. Who crashes looks in every CPU's slot: the host tries again where one is free. */
void vx_slot_is_free(u32 cpu)
{
	if (!vx_is_crashing) {
		deliver_next(cpu);
		return;
	}
	for (cpu = 0; cpu < vx_shared.cpus; cpu++)
		deliver_next(cpu);
}

VX_EXPORT void vx_deliver_event(u32 cpu, u32 flag, u32 online)
{
	u8 *flags = slot_of(vx_event_page(cpu));
	VX_DOOR;

	if (!flags)
		return;
	flags[flag / 8] |= 1 << flag % 8;
	if (online)
		vx_callback_interrupt(cpu);
}
