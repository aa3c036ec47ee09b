/* SPDX-License-Identifier: GPL-2.0-only */
/* Completions: a counter of events that were not waited for yet. */
#include "waiting.h"

void __init_swait_queue_head(struct swait_queue_head *q, const char *name,
			     struct lock_class_key *key)
{
	raw_spin_lock_init(&q->lock);
	INIT_LIST_HEAD(&q->task_list);
}

void vx_init_completion(struct completion *x, const char *name)
{
	(init_completion)(x); /* the function itself */
	vx_name_lock(&x->wait, name);
	vx_object_begins(&x->wait, vx_object_name(&x->wait));
}

static void about_to_complete(struct completion *x)
{
	vx_object_used(&x->wait);
	vx_touch(x);
}

void complete(struct completion *x)
{
	const char *name = vx_object_name(&x->wait);

	about_to_complete(x);
	if (x->done != UINT_MAX)
		x->done++;
	vx_wake_one_of(&x->wait);
	vx_point_named("complete", name);
}

void complete_all(struct completion *x)
{
	const char *name = vx_object_name(&x->wait);

	about_to_complete(x);
	x->done = UINT_MAX;
	vx_wake_all_of(&x->wait);
	vx_point_named("complete", name);
}

/* Whether the event came before the deadline. */
static bool wait_until(struct completion *x, u64 deadline_ns)
{
	const char *name = vx_object_name(&x->wait);

	vx_may_sleep("wait_for_completion", &x->wait);
	vx_touch(x);
	while (!x->done)
		if (!vx_park(vx_queue_of(&x->wait), name, deadline_ns))
			break;
	return try_wait_for_completion(x);
}

void wait_for_completion(struct completion *x)
{
	while (!wait_until(x, VX_NEVER))
		;
}

/* 0 after the timeout, else the jiffies that were left, at least one. */
unsigned long wait_for_completion_timeout(struct completion *x, unsigned long timeout)
{
	u64 deadline_ns = vx_shared.now_ns + timeout * NS_PER_JIFFY;

	if (timeout == MAX_SCHEDULE_TIMEOUT) {
		wait_for_completion(x);
		return timeout;
	}
	if (!wait_until(x, deadline_ns))
		return 0;
	return vx_shared.now_ns >= deadline_ns ?
		       1 :
		       (deadline_ns - vx_shared.now_ns) / NS_PER_JIFFY + 1;
}

bool try_wait_for_completion(struct completion *x)
{
	vx_touch(x);
	if (!x->done)
		return false;
	if (x->done != UINT_MAX)
		x->done--;
	return true;
}

bool completion_done(struct completion *x)
{
	vx_touch(x);
	return x->done != 0;
}
