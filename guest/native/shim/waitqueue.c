/* SPDX-License-Identifier: GPL-2.0-only */
/* Wait queues: an entry's function wakes its task, and schedule() sleeps until somebody does. */
#include "waiting.h"

void __init_waitqueue_head(struct wait_queue_head *head, const char *name,
			   struct lock_class_key *key)
{
	spin_lock_init(&head->lock);
	INIT_LIST_HEAD(&head->head);
	vx_name_lock(head, name);
}

int default_wake_function(wait_queue_entry_t *entry, unsigned int mode, int flags, void *key)
{
	return wake_up_process(entry->private);
}

int autoremove_wake_function(wait_queue_entry_t *entry, unsigned int mode, int flags, void *key)
{
	int woken = default_wake_function(entry, mode, flags, key);

	if (woken)
		list_del_init_careful(&entry->entry);
	return woken;
}

void init_wait_entry(struct wait_queue_entry *entry, int flags)
{
	entry->flags = flags;
	entry->private = current;
	entry->func = autoremove_wake_function;
	INIT_LIST_HEAD(&entry->entry);
}

void add_wait_queue(struct wait_queue_head *head, struct wait_queue_entry *entry)
{
	unsigned long flags;

	spin_lock_irqsave(&head->lock, flags);
	__add_wait_queue(head, entry);
	spin_unlock_irqrestore(&head->lock, flags);
}

void remove_wait_queue(struct wait_queue_head *head, struct wait_queue_entry *entry)
{
	unsigned long flags;

	spin_lock_irqsave(&head->lock, flags);
	__remove_wait_queue(head, entry);
	spin_unlock_irqrestore(&head->lock, flags);
}

long prepare_to_wait_event(struct wait_queue_head *head, struct wait_queue_entry *entry, int state)
{
	unsigned long flags;

	spin_lock_irqsave(&head->lock, flags);
	if (list_empty(&entry->entry))
		__add_wait_queue_entry_tail(head, entry);
	set_current_state(state);
	spin_unlock_irqrestore(&head->lock, flags);
	return 0;
}

void finish_wait(struct wait_queue_head *head, struct wait_queue_entry *entry)
{
	unsigned long flags;

	__set_current_state(TASK_RUNNING);
	if (list_empty_careful(&entry->entry))
		return;
	spin_lock_irqsave(&head->lock, flags);
	list_del_init(&entry->entry);
	spin_unlock_irqrestore(&head->lock, flags);
}

int __wake_up(struct wait_queue_head *head, unsigned int mode, int exclusive, void *key)
{
	wait_queue_entry_t *entry, *next;
	unsigned long flags;
	int woken = 0;

	spin_lock_irqsave(&head->lock, flags);
	list_for_each_entry_safe(entry, next, &head->head, entry) {
		unsigned int entry_flags = entry->flags;

		woken = entry->func(entry, mode, 0, key);
		if (woken && (entry_flags & WQ_FLAG_EXCLUSIVE) && !--exclusive)
			break;
	}
	spin_unlock_irqrestore(&head->lock, flags);
	return woken;
}

/* The task of a context knows it by its stack pointer field, which the shim does not use otherwise. */
int wake_up_process(struct task_struct *task)
{
	if (READ_ONCE(task->__state) == TASK_RUNNING)
		return 0;
	WRITE_ONCE(task->__state, TASK_RUNNING);
	vx_wake(task->stack);
	return 1;
}

void schedule(void)
{
	if (READ_ONCE(current->__state) == TASK_RUNNING) {
		vx_point("schedule", NULL);
		return;
	}
	vx_may_sleep("schedule", NULL);
	vx_park(NULL, "schedule", VX_NEVER);
}

long schedule_timeout(long timeout)
{
	vx_may_sleep("schedule_timeout", NULL);
	vx_park(NULL, "schedule", timeout == MAX_SCHEDULE_TIMEOUT ?
					  VX_NEVER :
					  vx_shared.now_ns + timeout * NS_PER_JIFFY);
	__set_current_state(TASK_RUNNING);
	return 0;
}
