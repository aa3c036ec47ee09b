/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Timers. Who waits for one to expire is a context; expired, it is a softirq.
 *
 * Model: one that is put off is looked at when it was to expire first, and then again. The wheel has
 * one level, so that one far away is as exact as one nearby.
 */
#include <linux/timer.h>

#include "shim.h"

static void run_timer(void *argument)
{
	struct timer_list *timer = argument;

	vx_order(timer);
	if (timer->entry.pprev) {
		timer->entry.pprev = NULL;
		timer->function(timer);
	}
}

/* Nobody's timer expires early: at the next tick but one, if it was set to one jiffy from now. */
static u64 expires_ns(const struct timer_list *timer)
{
	return (timer->expires + 1) * NS_PER_JIFFY;
}

static void wait_for_timer(void *argument)
{
	struct timer_list *timer = argument;

	while (timer->entry.pprev && vx_shared.now_ns < expires_ns(timer))
		vx_park(NULL, "mod_timer", expires_ns(timer));
	if (!timer->entry.pprev)
		return;
	vx_start(VX_SOFTIRQ, vx_current->cpu, vx_function_name(timer->function), run_timer, timer);
}

int mod_timer(struct timer_list *timer, unsigned long expires)
{
	int pending = timer->entry.pprev != NULL;

	vx_order(timer);
	timer->expires = expires;
	timer->entry.pprev = (void *)timer; /* what timer_pending() looks at */
	if (!pending)
		vx_start(VX_THREAD, vx_current->cpu, vx_function_name(timer->function),
			 wait_for_timer, timer);
	return pending;
}

void add_timer_on(struct timer_list *timer, int cpu)
{
	mod_timer(timer, timer->expires);
}

int TIMER_DELETE_SYNC_TRY(struct timer_list *timer)
{
	int pending = timer->entry.pprev != NULL;

	vx_order(timer);
	timer->entry.pprev = NULL;
	return pending;
}

void init_timer_key(struct timer_list *timer, void (*func)(struct timer_list *),
		    unsigned int flags, const char *name, struct lock_class_key *key)
{
	timer->entry.pprev = NULL;
	timer->function = func;
	timer->flags = flags;
}

void delayed_work_timer_fn(struct timer_list *timer)
{
	struct delayed_work *work = container_of(timer, struct delayed_work, timer);

	clear_bit(WORK_STRUCT_PENDING_BIT, work_data_bits(&work->work));
	queue_work_on(work->cpu, work->wq, &work->work);
}

bool queue_delayed_work_on(int cpu, struct workqueue_struct *wq, struct delayed_work *work,
			   unsigned long delay)
{
	if (!delay)
		return queue_work_on(cpu, wq, &work->work);
	if (test_and_set_bit(WORK_STRUCT_PENDING_BIT, work_data_bits(&work->work)))
		return false;
	work->wq = wq;
	work->cpu = cpu;
	mod_timer(&work->timer, vx_shared.now_ns / NS_PER_JIFFY + delay);
	return true;
}

bool mod_delayed_work_on(int cpu, struct workqueue_struct *wq, struct delayed_work *work,
			 unsigned long delay)
{
	return !queue_delayed_work_on(cpu, wq, work, delay);
}

bool cancel_delayed_work(struct delayed_work *work)
{
	if (!TIMER_DELETE_SYNC_TRY(&work->timer))
		return false; /* Model: one that its timer has queued is left to run */
	clear_bit(WORK_STRUCT_PENDING_BIT, work_data_bits(&work->work));
	return true;
}
