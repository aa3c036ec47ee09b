/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tasklets: a softirq each, on the CPU that scheduled it, never twice at once. One that is disabled
 * stays scheduled, and runs when it is enabled again.
 *
 * Model: Linux runs those of a CPU one after the other in one softirq, and ksoftirqd looks again and
 * again at one that is disabled; nobody else can tell the difference.
 */
#include "waiting.h"
#include "hyperv_vmbus.h"

#define TASKLET_RAISED 8 /* a bit of ours in `state`: a softirq is on its way */

static struct tasklet_struct *scheduled[VX_CPUS_MAX]; /* oldest first, by `next` */

void tasklet_init(struct tasklet_struct *t, void (*func)(unsigned long), unsigned long data)
{
	memset(t, 0, sizeof(*t));
	t->func = func;
	t->data = data;
}

/* As schedules have it: vmbus_on_event/RELID, vmbus_on_msg_dpc/CPU. */
static void name_of(const struct tasklet_struct *t, unsigned int cpu, char *name, size_t size)
{
	unsigned int number = cpu;

	if (t->func == vmbus_on_event)
		number = ((struct vmbus_channel *)t->data)->offermsg.child_relid;
	snprintf(name, size, "%s/%u", vx_function_name(t->func), number);
}

static struct tasklet_struct **link_of(struct tasklet_struct *t, unsigned int cpu)
{
	struct tasklet_struct **link = &scheduled[cpu];

	while (*link && *link != t)
		link = &(*link)->next;
	return link;
}

static void run_tasklet(void *argument);

static void raise(struct tasklet_struct *t, unsigned int cpu)
{
	char name[64], title[80];

	if (atomic_read(&t->count) || test_bit(TASKLET_STATE_RUN, &t->state) ||
	    test_and_set_bit(TASKLET_RAISED, &t->state))
		return;
	name_of(t, cpu, name, sizeof(name));
	snprintf(title, sizeof(title), "%s@%u", name, cpu);
	vx_start(VX_SOFTIRQ, cpu, title, run_tasklet, t);
}

/* Once nothing holds it off any more. */
static void raise_if_scheduled(struct tasklet_struct *t)
{
	unsigned int cpu;

	if (!test_bit(TASKLET_STATE_SCHED, &t->state))
		return;
	for (cpu = 0; cpu < nr_cpu_ids; cpu++)
		if (*link_of(t, cpu))
			raise(t, cpu);
}

static void run_tasklet(void *argument)
{
	struct tasklet_struct *t = argument, **link;

	vx_touch(t);
	clear_bit(TASKLET_RAISED, &t->state);
	link = link_of(t, vx_current->cpu);
	if (!*link || atomic_read(&t->count))
		return; /* on another CPU now, or disabled: it stays scheduled */
	*link = t->next;
	t->next = NULL;
	set_bit(TASKLET_STATE_RUN, &t->state);
	clear_bit(TASKLET_STATE_SCHED, &t->state);
	if (t->use_callback)
		t->callback(t);
	else
		t->func(t->data);
	vx_touch(t);
	tasklet_unlock(t);
}

void __tasklet_schedule(struct tasklet_struct *t)
{
	unsigned int cpu = vx_current->cpu;

	*link_of(t, cpu) = t;
	t->next = NULL;
	raise(t, cpu);
}

/* takeover_tasklets(): what was raised on a CPU that is dead runs on another one. */
void vx_take_over_tasklets(unsigned int from, unsigned int to)
{
	struct tasklet_struct *t = scheduled[from], *next;

	scheduled[from] = NULL;
	for (; t; t = next) {
		next = t->next;
		t->next = NULL;
		*link_of(t, to) = t;
		clear_bit(TASKLET_RAISED, &t->state);
		raise(t, to);
	}
}

/* --- holding it off --- */

void tasklet_unlock(struct tasklet_struct *t)
{
	clear_bit(TASKLET_STATE_RUN, &t->state);
	vx_wake_all_of(t);
	raise_if_scheduled(t);
}

static void wait_until_it_is_over(struct tasklet_struct *t)
{
	char name[64];

	vx_touch(t);
	name_of(t, 0, name, sizeof(name));
	vx_point_named("tasklet_disable", name);
	while (test_bit(TASKLET_STATE_RUN, &t->state))
		vx_park(vx_queue_of(t), "tasklet_unlock_wait", VX_NEVER);
}

void tasklet_unlock_spin_wait(struct tasklet_struct *t)
{
	wait_until_it_is_over(t);
}

void tasklet_unlock_wait(struct tasklet_struct *t)
{
	vx_may_sleep("tasklet_disable", NULL);
	wait_until_it_is_over(t);
}

void vx_tasklet_enable(struct tasklet_struct *t)
{
	char name[64];

	vx_touch(t);
	name_of(t, 0, name, sizeof(name));
	if (atomic_dec_and_test(&t->count))
		raise_if_scheduled(t);
	vx_point_named("tasklet_enable", name);
}

void tasklet_kill(struct tasklet_struct *t)
{
	vx_may_sleep("tasklet_kill", NULL);
	vx_touch(t);
	while (test_bit(TASKLET_STATE_SCHED, &t->state) || test_bit(TASKLET_STATE_RUN, &t->state))
		vx_park(vx_queue_of(t), "tasklet_kill", VX_NEVER);
}

/* --- softirqs off and on --- */

static void let_softirqs_in(unsigned int count)
{
	if (vx_irqs_off || vx_current->kind == VX_HARDIRQ)
		vx_finding("warning", "local_bh_enable() with interrupts off by %s", vx_current->title);
	preempt_count_sub(count);
}

void vx_bh_on(void)
{
	let_softirqs_in(SOFTIRQ_DISABLE_OFFSET);
}

void __local_bh_enable_ip(unsigned long ip, unsigned int count)
{
	let_softirqs_in(count);
	vx_point("local_bh_enable", NULL);
}

void vx_irqs_on(void)
{
	vx_irqs_off = 0;
	vx_point("local_irq_restore", NULL);
}
