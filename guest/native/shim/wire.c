/* SPDX-License-Identifier: GPL-2.0-only */
/* What the guest puts on the wire is noted where the kernel's own functions do it. */
#include <linux/hyperv.h>
#include <linux/uio.h>

#include "shim.h"
#include "hyperv_vmbus.h"


/* Called by the linker's leave instead of the ring's own function (--wrap). */
int __real_hv_ringbuffer_write(struct vmbus_channel *channel, const struct kvec *parts, u32 count,
			       u64 request, u64 *transaction);
int __wrap_hv_ringbuffer_write(struct vmbus_channel *channel, const struct kvec *parts, u32 count,
			       u64 request, u64 *transaction);

int __wrap_hv_ringbuffer_write(struct vmbus_channel *channel, const struct kvec *parts, u32 count,
			       u64 request, u64 *transaction)
{
	const struct vmpacket_descriptor *descriptor = parts[0].iov_base;
	u64 given = 0; /* the id is put into the ring's copy of the descriptor */
	int ret = __real_hv_ringbuffer_write(channel, parts, count, request, &given);
	struct vx_note *note;

	if (ret)
		return ret;
	if (transaction)
		*transaction = given;
	note = vx_note(VX_PUBLISHED, NULL);
	note->a = channel->offermsg.child_relid;
	note->b = descriptor->type | (u64)descriptor->flags << 16;
	note->c = given;
	note->d = min_t(u64, parts[1].iov_len, sizeof(note->text));
	memcpy(note->text, parts[1].iov_base, note->d);
	return 0;
}
