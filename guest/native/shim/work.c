/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Workqueues, tasklets and timers. Pending work is linked through the kernel's own list and bits, so
 * that re-initialising a pending item corrupts what it corrupts in Linux. A work item, a softirq and
 * a timer that expires are contexts of their own.
 */
#include <linux/timer.h>

#include "shim.h"

#define RUNNING_MAX 64
#define QUEUES_MAX 128

struct running {
	struct work_struct *work; /* an address only: the function may have freed it */
	u64 number;
};

struct workqueue_struct {
	struct list_head pending;
	struct vx_queue flushers;
	struct running running[RUNNING_MAX];
	int running_count, active_max;
	int claimed; /* contexts that were started for an item and have not taken it yet */
	u64 queued; /* how many items were ever queued; the last one's number */
	u64 first_pending; /* number of the item at the head of `pending` */
	bool draining;
	char name[32];
};

struct workqueue_struct *system_percpu_wq, *system_unbound_wq, *system_freezable_wq;
struct workqueue_struct *system_wq; /* the name that the first of them had */

static struct workqueue_struct *make_queue(const char *name, int active_max)
{
	struct workqueue_struct *wq = kzalloc(sizeof(*wq), GFP_ATOMIC);

	if (!wq)
		return NULL;
	INIT_LIST_HEAD(&wq->pending);
	strscpy(wq->name, name, sizeof(wq->name));
	vx_queue_init(&wq->flushers, wq->name);
	wq->active_max = clamp(active_max ? active_max : RUNNING_MAX, 1, RUNNING_MAX);
	wq->first_pending = 1;
	return wq;
}

struct workqueue_struct *alloc_workqueue(const char *format, unsigned int flags, int active_max, ...)
{
	char name[32];
	va_list arguments;

	va_start(arguments, active_max);
	vsnprintf(name, sizeof(name), format, arguments);
	va_end(arguments);
	return make_queue(name, flags & __WQ_ORDERED ? 1 : active_max);
}

void vx_init_workqueues(void)
{
	system_percpu_wq = make_queue("events", 0);
	system_wq = system_percpu_wq;
	system_unbound_wq = make_queue("events_unbound", 0);
	system_freezable_wq = make_queue("events_freezable", 0);
}

static void run_one(void *argument);

static void start_next(struct workqueue_struct *wq, unsigned int cpu)
{
	struct work_struct *work;
	char title[96];

	if (list_count_nodes(&wq->pending) == wq->claimed || wq->running_count == wq->active_max)
		return;
	work = list_first_entry(&wq->pending, struct work_struct, entry);
	snprintf(title, sizeof(title), "%s/%s", vx_function_name(work->func), wq->name);
	wq->running[wq->running_count++] = (struct running){ NULL, wq->first_pending + wq->claimed++ };
	vx_start(VX_WORK, cpu, title, run_one, wq);
}

static void forget_running(struct workqueue_struct *wq, u64 number)
{
	int i;

	for (i = 0; i < wq->running_count; i++)
		if (wq->running[i].number == number)
			wq->running[i] = wq->running[--wq->running_count];
}

static void run_one(void *argument)
{
	struct workqueue_struct *wq = argument;
	struct work_struct *work;
	work_func_t function;
	u64 number;
	int i;

	work = list_first_entry(&wq->pending, struct work_struct, entry);
	number = wq->first_pending++;
	wq->claimed--;
	for (i = 0; i < wq->running_count; i++)
		if (wq->running[i].number == number)
			wq->running[i].work = work;
	list_del_init(&work->entry);
	clear_bit(WORK_STRUCT_PENDING_BIT, work_data_bits(work));
	function = work->func;
	function(work);
	forget_running(wq, number);
	vx_wake_all(&wq->flushers);
	start_next(wq, vx_current->cpu);
}

bool queue_work_on(int cpu, struct workqueue_struct *wq, struct work_struct *work)
{
	if (!wq)
		vx_finding("null-dereference", "%s is queued on no workqueue",
			   vx_function_name(work->func));
	if (test_and_set_bit(WORK_STRUCT_PENDING_BIT, work_data_bits(work)))
		return false;
	wq->queued++;
	list_add_tail(&work->entry, &wq->pending);
	start_next(wq, cpu == WORK_CPU_UNBOUND ? vx_current->cpu : cpu);
	vx_point("queue", wq->name);
	return true;
}

static bool done_up_to(struct workqueue_struct *wq, u64 number)
{
	int i;

	if (!list_empty(&wq->pending) && wq->first_pending <= number)
		return false;
	for (i = 0; i < wq->running_count; i++)
		if (wq->running[i].number <= number)
			return false;
	return true;
}

/* Waits for the items that were queued before, not for an idle queue. */
void __flush_workqueue(struct workqueue_struct *wq)
{
	u64 number = wq->queued;

	vx_may_sleep("flush_workqueue", NULL);
	while (!done_up_to(wq, number))
		vx_park(&wq->flushers, wq->name, VX_NEVER);
}

void drain_workqueue(struct workqueue_struct *wq)
{
	while (!list_empty(&wq->pending) || wq->running_count)
		__flush_workqueue(wq);
}

void destroy_workqueue(struct workqueue_struct *wq)
{
	drain_workqueue(wq);
	kfree(wq);
}

static struct workqueue_struct *const *const the_system_queues[] = {
	&system_percpu_wq, &system_unbound_wq, &system_freezable_wq
};

static bool is_busy(struct workqueue_struct *wq, const struct work_struct *work)
{
	const struct work_struct *item;
	int i;

	list_for_each_entry(item, &wq->pending, entry)
		if (item == work)
			return true;
	for (i = 0; i < wq->running_count; i++)
		if (wq->running[i].work == work)
			return true;
	return false;
}

/* Model: only items of the system's own queues are flushed or cancelled one by one in these files. */
bool flush_work(struct work_struct *work)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(the_system_queues); i++)
		while (is_busy(*the_system_queues[i], work))
			vx_park(&(*the_system_queues[i])->flushers, "flush_work", VX_NEVER);
	return true;
}

bool cancel_work_sync(struct work_struct *work)
{
	bool pending = test_and_clear_bit(WORK_STRUCT_PENDING_BIT, work_data_bits(work));

	if (pending)
		list_del_init(&work->entry);
	flush_work(work);
	return pending;
}

struct on_cpu {
	struct work_struct work;
	long (*function)(void *);
	void *argument;
	long result;
};

static void call_on_cpu(struct work_struct *work)
{
	struct on_cpu *call = container_of(work, struct on_cpu, work);

	call->result = call->function(call->argument);
}

long work_on_cpu_key(int cpu, long (*function)(void *), void *argument, struct lock_class_key *key)
{
	struct on_cpu call = { .function = function, .argument = argument };

	INIT_WORK_ONSTACK(&call.work, call_on_cpu);
	queue_work_on(cpu, system_percpu_wq, &call.work);
	flush_work(&call.work);
	return call.result;
}

/* --- tasklets --- */

static struct tasklet_struct *scheduled[VX_CPUS_MAX], **scheduled_end[VX_CPUS_MAX];
static bool raised[VX_CPUS_MAX];

void tasklet_init(struct tasklet_struct *t, void (*func)(unsigned long), unsigned long data)
{
	memset(t, 0, sizeof(*t));
	t->func = func;
	t->data = data;
}

static void run_tasklet(struct tasklet_struct *t)
{
	if (!test_and_clear_bit(TASKLET_STATE_SCHED, &t->state))
		vx_finding("warning", "a tasklet runs that was not scheduled");
	if (t->use_callback)
		t->callback(t);
	else
		t->func(t->data);
	tasklet_unlock(t);
}

static void poll_again(void *argument)
{
	vx_park(NULL, "ksoftirqd", vx_shared.now_ns + 100 * NSEC_PER_USEC);
	vx_raise_softirqs(vx_current->cpu);
}

/* tasklet_action(): what is disabled stays scheduled and is looked at again. */
static void tasklet_action(void *argument)
{
	unsigned int cpu = vx_current->cpu;
	struct tasklet_struct *t = scheduled[cpu], *next;
	bool again = false;

	raised[cpu] = false;
	scheduled[cpu] = NULL;
	for (; t; t = next) {
		next = t->next;
		t->next = NULL;
		if (tasklet_trylock(t)) {
			if (!atomic_read(&t->count)) {
				run_tasklet(t);
				continue;
			}
			tasklet_unlock(t);
		}
		t->next = scheduled[cpu];
		scheduled[cpu] = t;
		again = true;
	}
	if (again)
		vx_start(VX_THREAD, cpu, "ksoftirqd", poll_again, NULL);
}

void vx_raise_softirqs(unsigned int cpu)
{
	if (raised[cpu] || !scheduled[cpu])
		return;
	raised[cpu] = true;
	vx_start(VX_SOFTIRQ, cpu, vx_function_name(scheduled[cpu]->func), tasklet_action, NULL);
}

void __tasklet_schedule(struct tasklet_struct *t)
{
	unsigned int cpu = vx_current->cpu;
	struct tasklet_struct **link = &scheduled[cpu];

	while (*link)
		link = &(*link)->next;
	t->next = NULL;
	*link = t;
	vx_raise_softirqs(cpu);
}

void tasklet_unlock(struct tasklet_struct *t)
{
	clear_bit(TASKLET_STATE_RUN, &t->state);
}

static void wait_until_it_is_over(struct tasklet_struct *t)
{
	while (test_bit(TASKLET_STATE_RUN, &t->state))
		vx_park(NULL, "tasklet", vx_shared.now_ns + NSEC_PER_USEC);
}

void tasklet_unlock_spin_wait(struct tasklet_struct *t)
{
	wait_until_it_is_over(t);
}

void tasklet_unlock_wait(struct tasklet_struct *t)
{
	vx_may_sleep("tasklet_disable", t);
	wait_until_it_is_over(t);
}

void tasklet_kill(struct tasklet_struct *t)
{
	vx_may_sleep("tasklet_kill", t);
	while (test_and_set_bit(TASKLET_STATE_SCHED, &t->state))
		vx_park(NULL, "tasklet", vx_shared.now_ns + NSEC_PER_USEC);
	wait_until_it_is_over(t);
	clear_bit(TASKLET_STATE_SCHED, &t->state);
}

void __local_bh_enable_ip(unsigned long ip, unsigned int count)
{
	if (vx_irqs_off || vx_current->kind == VX_HARDIRQ)
		vx_finding("warning", "local_bh_enable() with interrupts off");
	preempt_count_sub(count);
	vx_point("bh on", NULL);
}

void vx_irqs_on(void)
{
	vx_irqs_off = 0;
	vx_point("irqs on", NULL);
}

/* --- timers --- */

static void run_timer(void *argument)
{
	struct timer_list *timer = argument;

	if (timer->entry.pprev) {
		timer->entry.pprev = NULL;
		timer->function(timer);
	}
}

static void wait_for_timer(void *argument)
{
	struct timer_list *timer = argument;

	vx_park(NULL, "timer", timer->expires * NS_PER_JIFFY);
	vx_start(VX_SOFTIRQ, vx_current->cpu, vx_function_name(timer->function), run_timer, timer);
}

int mod_timer(struct timer_list *timer, unsigned long expires)
{
	int pending = timer->entry.pprev != NULL;

	timer->expires = expires;
	timer->entry.pprev = (void *)timer; /* what timer_pending() looks at */
	if (!pending)
		vx_start(VX_THREAD, vx_current->cpu, "timer", wait_for_timer, timer);
	return pending;
}

void add_timer_on(struct timer_list *timer, int cpu)
{
	mod_timer(timer, timer->expires);
}

int try_to_del_timer_sync(struct timer_list *timer)
{
	int pending = timer->entry.pprev != NULL;

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
	struct delayed_work *work = from_timer(work, timer, timer);

	clear_bit(WORK_STRUCT_PENDING_BIT, work_data_bits(&work->work));
	queue_work_on(work->cpu, work->wq, &work->work);
}

bool queue_delayed_work_on(int cpu, struct workqueue_struct *wq, struct delayed_work *work,
			   unsigned long delay)
{
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
