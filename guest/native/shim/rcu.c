/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Read-copy-update: what readers may still look at goes when they have gone.
 *
 * Model: a grace period ends at the moment when no reader at all is inside, hence at once where there
 * is none; Linux waits longer, but nobody may count on that. What is called then is called by whoever
 * ends it, and not in a softirq.
 */
#include <linux/rcupdate.h>
#include <linux/srcu.h>

#include "waiting.h"

struct readers {
	int inside, waited_for; /* by how many who sleep */
	struct rcu_head *first, **last; /* what waits for them, by `next` */
};

static struct readers rcu = { .last = &rcu.first };
static struct readers srcu; /* of all structures together: nobody here waits for one of them */

static void end_grace_period(struct readers *readers)
{
	struct rcu_head *head = readers->first, *next;

	readers->first = NULL;
	readers->last = &readers->first;
	vx_wake_all_of(readers);
	for (; head; head = next) {
		next = (struct rcu_head *)head->next;
		head->func(head);
	}
}

static void wait_for(struct readers *readers, const char *what)
{
	vx_may_sleep(what, NULL);
	vx_point_named(what, NULL);
	readers->waited_for++;
	while (readers->inside)
		vx_park(vx_queue_of(readers), what, VX_NEVER);
	readers->waited_for--;
}

void __rcu_read_lock(void)
{
	rcu.inside++;
}

void __rcu_read_unlock(void)
{
	if (!--rcu.inside && (rcu.first || rcu.waited_for))
		end_grace_period(&rcu);
}

void call_rcu(struct rcu_head *head, rcu_callback_t function)
{
	if (!rcu.inside) {
		function(head);
		return;
	}
	head->func = function;
	head->next = NULL;
	*rcu.last = head;
	rcu.last = (struct rcu_head **)&head->next;
}

void synchronize_rcu(void)
{
	wait_for(&rcu, "synchronize_rcu");
}

/* --- kfree_rcu() --- */

struct waiting_object { /* the object's own head has no room for the object */
	struct rcu_head head;
	void *object;
};

static void free_waiting(struct rcu_head *head)
{
	struct waiting_object *waiting = container_of(head, struct waiting_object, head);
	void *object = waiting->object;

	vx_free(waiting);
	kfree(object);
}

static void kfree_later(void *object)
{
	struct waiting_object *waiting;

	if (!rcu.inside) {
		kfree(object);
		return;
	}
	waiting = vx_alloc(sizeof(*waiting), 16, __builtin_return_address(0));
	waiting->object = object;
	call_rcu(&waiting->head, free_waiting);
	vx_point_named("kfree_rcu", NULL);
}

#if SINCE(6, 4)
void kvfree_call_rcu(struct rcu_head *head, void *object)
{
	kfree_later(object);
}
#else
void kvfree_call_rcu(struct rcu_head *head, rcu_callback_t offset)
{
	kfree_later((void *)head - (unsigned long)offset);
}
#endif

/* --- sleepable RCU --- */

int init_srcu_struct(struct srcu_struct *unused)
{
	return 0;
}

int __srcu_read_lock(struct srcu_struct *unused)
{
	srcu.inside++;
	return 0;
}

void __srcu_read_unlock(struct srcu_struct *unused, int index)
{
	if (!--srcu.inside)
		vx_wake_all_of(&srcu);
}

void synchronize_srcu(struct srcu_struct *unused)
{
	wait_for(&srcu, "synchronize_srcu");
}
