/* SPDX-License-Identifier: GPL-2.0-only */
/* Who waits for what, and who holds what. Knows no kind of lock. */
#include "waiting.h"

#define QUEUES_MAX 512

/* Made when an object is first waited for. */
static struct {
	const void *object;
	struct vx_queue queue;
} queues[QUEUES_MAX] VX_OWN;
static unsigned int queues_made; /* the others have never been in use */

struct vx_queue *vx_find_queue(const void *object)
{
	unsigned int slot;

	for (slot = 0; slot < queues_made; slot++)
		if (queues[slot].object == object)
			return &queues[slot].queue;
	return NULL;
}

struct vx_queue *vx_queue_of(const void *object)
{
	struct vx_queue *queue = vx_find_queue(object);
	unsigned int free_slot = 0;

	if (queue)
		return queue;
	while (free_slot < queues_made && queues[free_slot].queue.head)
		free_slot++;
	if (free_slot == QUEUES_MAX)
		vx_finding("hang", "more than %d objects are waited for", QUEUES_MAX);
	if (free_slot == queues_made)
		queues_made++;
	queues[free_slot].object = object;
	vx_queue_init(&queues[free_slot].queue, vx_object_name(object));
	return &queues[free_slot].queue;
}

void vx_wake_one_of(const void *object)
{
	struct vx_queue *queue = vx_find_queue(object);

	if (queue)
		vx_wake_one(queue);
}

void vx_wake_all_of(const void *object)
{
	struct vx_queue *queue = vx_find_queue(object);

	if (queue)
		vx_wake_all(queue);
}

void vx_may_sleep(const char *what, const void *object)
{
	if (vx_atomic())
		vx_finding("sleep-in-atomic", "%s(%s) may sleep, called in atomic context by %s", what,
			   object ? vx_object_name(object) : "", vx_current->title);
}

/* --- names --- */

/* Where the reference guest has another word than the member's name. */
static const struct {
	const char *member, *name;
} renamed[] = {
	{ "desc->lock", "irq_desc" },
	{ "desc->request_mutex", "irq_request" },
	{ "dev->mutex", "device_lock" },
	{ "md->mutex", "msi_lock_descs" },
	{ "msi_data->mutex", "msi_lock_descs" },
};

static const char *after_last(const char *text, const char *mark)
{
	const char *found = text, *next;

	while ((next = strstr(found, mark)) != NULL)
		found = next + strlen(mark);
	return found;
}

void vx_name_lock(const void *object, const char *initialised_as)
{
	const char *member = initialised_as + (*initialised_as == '&');
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(renamed); i++)
		if (!strcmp(renamed[i].member, member)) {
			vx_name_object(object, renamed[i].name);
			return;
		}
	vx_name_object(object, after_last(after_last(member, "->"), "."));
}

/* --- owners --- */

void vx_wait_for_lock(const void *lock, const struct vx_ctx *owner)
{
	if (owner == vx_current)
		vx_finding("deadlock", "%s takes %s which it already holds", vx_current->title,
			   vx_object_name(lock));
	vx_shared.trap.owner = owner->id + 1;
	vx_park(vx_queue_of(lock), vx_object_name(lock), VX_NEVER);
}

void vx_now_holds(const void *lock)
{
	vx_acquire(lock);
	if (vx_current->held_count < VX_HELD_MAX)
		vx_current->held[vx_current->held_count++] = lock;
}

void vx_holds_no_more(const void *lock)
{
	struct vx_ctx *ctx = vx_current;
	unsigned int i = ctx->held_count;

	vx_release(lock);
	while (i-- > 0)
		if (ctx->held[i] == lock)
			break;
	if (i == UINT_MAX)
		return;
	for (ctx->held_count--; i < ctx->held_count; i++)
		ctx->held[i] = ctx->held[i + 1];
}

/* What a context holds, oldest first; NULL beyond the last. */
VX_EXPORT const char *vx_held(u32 id, u32 index)
{
	const struct vx_ctx *ctx = vx_context(id);

	return ctx && index < ctx->held_count ? vx_object_name(ctx->held[index]) : NULL;
}
