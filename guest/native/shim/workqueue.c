/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Workqueues. Pending work is linked through the kernel's own list and bits, so that an item that is
 * initialised again while it is pending corrupts what it corrupts in Linux. A worker is a context that
 * exists for one item.
 *
 * A bound queue runs an item on the CPU that queued it, so many at a time on each CPU. An unbound one
 * leaves that to the scheduler; here it is the next CPU, so that worker and queuer run side by side.
 */
#include <linux/cpu.h>

#include "waiting.h"

#define ITEMS_MAX 512 /* of one queue, pending and running */
#define ACTIVE_MAX 256

struct item { /* the queue's own record of a work item, which may be gone while its function runs */
	struct work_struct *work;
	u64 number;
	u16 cpu;
	bool started, running; /* it has a worker; the worker has taken it off the list */
};

struct workqueue_struct {
	struct list_head pending, all; /* work items; in the list of queues */
	struct vx_queue flushers;
	struct item items[ITEMS_MAX]; /* oldest first */
	int items_count, active_max;
	u64 queued; /* how many items were ever queued: the number of the last one */
	bool unbound, draining;
	char name[32], flushing[64];
};

struct workqueue_struct *system_percpu_wq, *system_unbound_wq, *system_freezable_wq;
struct workqueue_struct *system_wq, *system_dfl_wq; /* names of the first two, old and new */
static LIST_HEAD(queues);

static struct workqueue_struct *make_queue(const char *name, unsigned int flags, int active_max)
{
	struct workqueue_struct *wq = kzalloc(sizeof(*wq), GFP_KERNEL);

	if (!wq)
		return NULL;
	INIT_LIST_HEAD(&wq->pending);
	list_add_tail(&wq->all, &queues);
	strscpy(wq->name, name, sizeof(wq->name));
	snprintf(wq->flushing, sizeof(wq->flushing), "flush_workqueue(%s)", wq->name);
	vx_queue_init(&wq->flushers, wq->flushing);
	wq->active_max = active_max ? min(active_max, ACTIVE_MAX) : ACTIVE_MAX;
	wq->unbound = flags & WQ_UNBOUND;
	return wq;
}

#if VX_WORKQUEUES_ARE_PROFILED
#undef alloc_workqueue
#define alloc_workqueue alloc_workqueue_noprof
#endif

struct workqueue_struct *alloc_workqueue(const char *format, unsigned int flags, int active_max, ...)
{
	char name[32];
	va_list arguments;

	va_start(arguments, active_max);
	vsnprintf(name, sizeof(name), format, arguments);
	va_end(arguments);
	if (vx_allocation_fails("WorkQueue"))
		return NULL;
	return make_queue(name, flags, flags & __WQ_ORDERED ? 1 : active_max);
}

void vx_init_workqueues(void)
{
	system_percpu_wq = make_queue("events", 0, 0);
	system_wq = system_percpu_wq;
	system_unbound_wq = make_queue("events_unbound", WQ_UNBOUND, 0);
	system_dfl_wq = system_unbound_wq;
	system_freezable_wq = make_queue("events_freezable", WQ_FREEZABLE, 0);
}

/* --- workers --- */

static struct item *item_of(struct workqueue_struct *wq, u64 number)
{
	int i;

	for (i = 0; i < wq->items_count; i++)
		if (wq->items[i].number == number)
			return &wq->items[i];
	return NULL;
}

static void forget(struct workqueue_struct *wq, struct item *item)
{
	struct item *end = &wq->items[--wq->items_count];

	for (; item < end; item++)
		*item = item[1];
}

/* A bound queue has a pool of workers on each CPU, an unbound one has one. */
static bool has_room(const struct workqueue_struct *wq, const struct item *item)
{
	int busy = 0, i;

	for (i = 0; i < wq->items_count; i++)
		busy += wq->items[i].started && (wq->unbound || wq->items[i].cpu == item->cpu);
	return busy < wq->active_max;
}

struct errand { /* of a worker: allocated by whoever starts it */
	struct workqueue_struct *wq;
	u64 number;
};

static void work_off(void *argument);

static unsigned int online_cpu(unsigned int cpu)
{
	while (!cpu_online(cpu % nr_cpu_ids))
		cpu++;
	return cpu % nr_cpu_ids;
}

static void start_worker(struct workqueue_struct *wq, struct item *item)
{
	struct errand *errand = vx_alloc(sizeof(*errand), 16, __builtin_return_address(0));
	char title[96];

	*errand = (struct errand){ wq, item->number };
	item->started = true;
	snprintf(title, sizeof(title), "%s/%s#%llu", vx_function_name(item->work->func), wq->name,
		 item->number);
	vx_start(VX_WORK, online_cpu(item->cpu), title, work_off, errand);
}

static void start_next(struct workqueue_struct *wq)
{
	int i;

	for (i = 0; i < wq->items_count; i++)
		if (!wq->items[i].started && has_room(wq, &wq->items[i])) {
			start_worker(wq, &wq->items[i]);
			return;
		}
}

static void work_off(void *argument)
{
	struct errand errand = *(struct errand *)argument;
	struct workqueue_struct *wq = errand.wq;
	struct item *item;
	struct work_struct *work;
	work_func_t function;

	vx_free(argument);
	vx_touch(wq);
	item = item_of(wq, errand.number);
	if (!item)
		return; /* it was cancelled */
	work = item->work;
	vx_touch(work);
	item->running = true;
	list_del_init(&work->entry);
	clear_bit(WORK_STRUCT_PENDING_BIT, work_data_bits(work));
	function = work->func;
	function(work);
	vx_touch(wq);
	forget(wq, item_of(wq, errand.number));
	vx_wake_all(&wq->flushers);
	start_next(wq);
}

/* --- queueing --- */

/* Only a worker's own item may queue more while the queue is drained. */
static bool refuses(const struct workqueue_struct *wq)
{
	return wq->draining && vx_current->kind != VX_WORK;
}

static void add_item(struct workqueue_struct *wq, struct work_struct *work, int cpu)
{
	unsigned int here = vx_current->cpu;
	struct item *item;

	if (wq->items_count == ITEMS_MAX)
		vx_finding("hang", "%d items are on %s", ITEMS_MAX, wq->name);
	if (cpu == WORK_CPU_UNBOUND)
		cpu = wq->unbound ? here + 1 : here;
	item = &wq->items[wq->items_count++];
	*item = (struct item){ .work = work, .number = ++wq->queued, .cpu = online_cpu(cpu) };
	list_add_tail(&work->entry, &wq->pending);
	if (has_room(wq, item))
		start_worker(wq, item);
}

bool queue_work_on(int cpu, struct workqueue_struct *wq, struct work_struct *work)
{
	vx_touch(work);
	vx_point_named("queue_work", vx_function_name(work->func));
	vx_touch(work);
	if (!wq)
		vx_finding("null-dereference", "%s is queued on no workqueue",
			   vx_function_name(work->func));
	vx_touch(wq);
	if (test_and_set_bit(WORK_STRUCT_PENDING_BIT, work_data_bits(work)))
		return false;
	if (refuses(wq))
		vx_finding("warning", "%s is queued on %s, which is drained",
			   vx_function_name(work->func), wq->name);
	add_item(wq, work, cpu);
	return true;
}

/* --- waiting for work --- */

static bool done_up_to(const struct workqueue_struct *wq, u64 number)
{
	return !wq->items_count || wq->items[0].number > number;
}

/* Waits for the items that were queued before, not for an idle queue. */
void __flush_workqueue(struct workqueue_struct *wq)
{
	u64 number;

	vx_may_sleep("flush_workqueue", NULL);
	vx_touch(wq);
	number = wq->queued;
	vx_point_named("flush_workqueue", wq->name);
	while (!done_up_to(wq, number))
		vx_park(&wq->flushers, wq->flushing, VX_NEVER);
}

void drain_workqueue(struct workqueue_struct *wq)
{
	vx_touch(wq);
	wq->draining = true;
	while (wq->items_count)
		__flush_workqueue(wq);
	wq->draining = false;
}

void destroy_workqueue(struct workqueue_struct *wq)
{
	drain_workqueue(wq);
	list_del(&wq->all);
	kfree(wq);
}

/* Where an item is, pending or running; NULL for nowhere. */
static struct workqueue_struct *queue_with(const struct work_struct *work, struct item **found)
{
	struct workqueue_struct *wq;
	int i;

	list_for_each_entry(wq, &queues, all)
		for (i = 0; i < wq->items_count; i++)
			if (wq->items[i].work == work) {
				*found = &wq->items[i];
				return wq;
			}
	return NULL;
}

bool flush_work(struct work_struct *work)
{
	struct workqueue_struct *wq;
	struct item *item;
	bool waited = false;

	vx_may_sleep("flush_work", NULL);
	for (; (wq = queue_with(work, &item)) != NULL; waited = true)
		vx_park(&wq->flushers, "flush_work", VX_NEVER);
	return waited;
}

bool cancel_work_sync(struct work_struct *work)
{
	struct item *item;
	struct workqueue_struct *wq = queue_with(work, &item);
	bool pending = wq && !item->running;

	if (pending) {
		list_del_init(&work->entry);
		clear_bit(WORK_STRUCT_PENDING_BIT, work_data_bits(work));
		forget(wq, item);
	}
	flush_work(work);
	return pending;
}

/* --- a function on another CPU --- */

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
