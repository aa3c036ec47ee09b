/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the guest puts on the wire is noted where the kernel's own functions do it: a packet once
 * its write index is out, before the host is told of it.
 */
#include <linux/hyperv.h>
#include <linux/uio.h>

#include "shim.h"
#include "hyperv_vmbus.h"

struct sending { /* a packet of somebody who is in hv_ringbuffer_write() */
	const struct vx_ctx *by;
	const struct vmbus_channel *channel;
	const struct kvec *parts;
	u64 id; /* it is put into the ring's copy of the descriptor */
	bool told;
	struct sending *next;
};

static struct sending *sendings;

static void tell(struct sending *sending)
{
	const struct vmpacket_descriptor *descriptor = sending->parts[0].iov_base;
	struct vx_note *note = vx_note(VX_PUBLISHED, NULL);

	sending->told = true;
	note->a = sending->channel->offermsg.child_relid;
	note->b = descriptor->type | (u64)descriptor->flags << 16;
	note->c = sending->id;
	note->d = min_t(u64, sending->parts[1].iov_len, sizeof(note->text));
	memcpy(note->text, sending->parts[1].iov_base, note->d);
}

static void leave(struct sending *sending)
{
	struct sending **link = &sendings;

	while (*link != sending)
		link = &(*link)->next;
	*link = sending->next;
}

/* Called by the linker's leave instead of the kernel's own functions (--wrap). */
int __real_hv_ringbuffer_write(struct vmbus_channel *channel, const struct kvec *parts, u32 count,
			       u64 request, u64 *transaction);
int __wrap_hv_ringbuffer_write(struct vmbus_channel *channel, const struct kvec *parts, u32 count,
			       u64 request, u64 *transaction);
void __real_vmbus_setevent(struct vmbus_channel *channel);
void __wrap_vmbus_setevent(struct vmbus_channel *channel);

int __wrap_hv_ringbuffer_write(struct vmbus_channel *channel, const struct kvec *parts, u32 count,
			       u64 request, u64 *transaction)
{
	struct sending sending = {
		.by = vx_current, .channel = channel, .parts = parts,
	};
	int ret;

	vx_point("sendpacket", NULL);
	if (vx_ring_is_full(parts, count))
		return -EAGAIN;
	sending.next = sendings; /* others may have come and gone at the point above */
	vx_order(&vx_shared); /* the host may read it from now on */
	sendings = &sending;
	ret = __real_hv_ringbuffer_write(channel, parts, count, request, &sending.id);
	leave(&sending);
	if (ret)
		return ret;
	if (transaction)
		*transaction = sending.id;
	if (!sending.told) /* the host was at work on the ring: no need to tell it */
		tell(&sending);
	return 0;
}

void __wrap_vmbus_setevent(struct vmbus_channel *channel)
{
	struct sending *sending;

	for (sending = sendings; sending; sending = sending->next)
		if (sending->by == vx_current && sending->channel == channel)
			tell(sending);
	__real_vmbus_setevent(channel);
}
