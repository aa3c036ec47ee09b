/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Locks, completions and wait queues over the core's contexts. A waiter sits in a queue of the core;
 * the kernel's own fields say who holds what, so that a damaged or freed lock shows.
 */
#include "shim.h"

#define QUEUES_MAX 512

/* Where contexts wait for a lock or a completion: by the object's address, made when first waited on. */
static struct {
	const void *object;
	struct vx_queue queue;
} queues[QUEUES_MAX] VX_OWN;
static unsigned int queues_made; /* the others have never been in use */

/* The queue of whoever waits for an object; NULL if nobody has a queue for it. */
static struct vx_queue *find_queue(const void *object)
{
	unsigned int slot;

	for (slot = 0; slot < queues_made; slot++)
		if (queues[slot].object == object)
			return &queues[slot].queue;
	return NULL;
}

static struct vx_queue *queue_of(const void *object)
{
	struct vx_queue *queue = find_queue(object);
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

static void wake_one_of(const void *object)
{
	struct vx_queue *queue = find_queue(object);

	if (queue)
		vx_wake_one(queue);
}

void vx_may_sleep(const char *what, const void *object)
{
	if (vx_atomic())
		vx_finding("sleep-in-atomic", "%s(%s) may sleep", what, vx_object_name(object));
}

/* --- spinlocks: taken with preemption off; whoever spins keeps its CPU --- */

void __raw_spin_lock_init(raw_spinlock_t *lock, const char *name, struct lock_class_key *key,
			  short inner)
{
	*lock = (raw_spinlock_t)__RAW_SPIN_LOCK_UNLOCKED(lock);
	vx_name_object(lock, name + (*name == '&'));
}

/* Those who assert that a lock is held look at its word. */
static void own(raw_spinlock_t *lock)
{
	lock->owner = vx_current;
	atomic_set(&lock->raw_lock.val, 1);
}

static void take(raw_spinlock_t *lock)
{
	vx_point("lock", lock);
	if (lock->magic != SPINLOCK_MAGIC)
		vx_finding("uninitialised", "spinlock %s was not initialised", vx_object_name(lock));
	while (lock->owner != SPINLOCK_OWNER_INIT) {
		if (lock->owner == vx_current)
			vx_finding("deadlock", "%s takes %s, which it holds", vx_current->title,
				   vx_object_name(lock));
		vx_park(queue_of(lock), vx_object_name(lock), VX_NEVER);
	}
	own(lock);
}

static void release(raw_spinlock_t *lock)
{
	if (lock->owner != vx_current)
		vx_finding("warning", "%s is unlocked by who does not hold it", vx_object_name(lock));
	lock->owner = SPINLOCK_OWNER_INIT;
	atomic_set(&lock->raw_lock.val, 0);
	wake_one_of(lock);
}

void _raw_spin_lock(raw_spinlock_t *lock)
{
	preempt_disable();
	take(lock);
}

void _raw_spin_lock_bh(raw_spinlock_t *lock)
{
	local_bh_disable();
	take(lock);
}

void _raw_spin_lock_irq(raw_spinlock_t *lock)
{
	local_irq_disable();
	preempt_disable();
	take(lock);
}

unsigned long _raw_spin_lock_irqsave(raw_spinlock_t *lock)
{
	unsigned long flags;

	local_irq_save(flags);
	preempt_disable();
	take(lock);
	return flags;
}

int _raw_spin_trylock(raw_spinlock_t *lock)
{
	preempt_disable();
	vx_point("lock", lock);
	if (lock->owner == SPINLOCK_OWNER_INIT) {
		own(lock);
		return 1;
	}
	preempt_enable();
	return 0;
}

void _raw_spin_unlock(raw_spinlock_t *lock)
{
	release(lock);
	preempt_enable();
	vx_point("unlock", lock);
}

void _raw_spin_unlock_bh(raw_spinlock_t *lock)
{
	release(lock);
	local_bh_enable();
	vx_point("unlock", lock);
}

void _raw_spin_unlock_irq(raw_spinlock_t *lock)
{
	release(lock);
	local_irq_enable();
	preempt_enable();
	vx_point("unlock", lock);
}

void _raw_spin_unlock_irqrestore(raw_spinlock_t *lock, unsigned long flags)
{
	release(lock);
	local_irq_restore(flags);
	preempt_enable();
	vx_point("unlock", lock);
}

/* --- mutexes and semaphores --- */

void __mutex_init(struct mutex *lock, const char *name, struct lock_class_key *key)
{
	atomic_long_set(&lock->owner, 0);
	vx_name_object(lock, name + (*name == '&'));
}

void mutex_lock(struct mutex *lock)
{
	vx_may_sleep("mutex_lock", lock);
	vx_point("lock", lock);
	while (atomic_long_read(&lock->owner)) {
		if (atomic_long_read(&lock->owner) == (long)vx_current)
			vx_finding("deadlock", "%s takes %s, which it holds", vx_current->title,
				   vx_object_name(lock));
		vx_park(queue_of(lock), vx_object_name(lock), VX_NEVER);
	}
	atomic_long_set(&lock->owner, (long)vx_current);
}

int mutex_trylock(struct mutex *lock)
{
	vx_point("lock", lock);
	if (atomic_long_read(&lock->owner))
		return 0;
	atomic_long_set(&lock->owner, (long)vx_current);
	return 1;
}

int mutex_lock_interruptible(struct mutex *lock)
{
	mutex_lock(lock);
	return 0;
}

void mutex_unlock(struct mutex *lock)
{
	if (atomic_long_read(&lock->owner) != (long)vx_current)
		vx_finding("warning", "%s is unlocked by who does not hold it", vx_object_name(lock));
	atomic_long_set(&lock->owner, 0);
	wake_one_of(lock);
	vx_point("unlock", lock);
}

bool mutex_is_locked(struct mutex *lock)
{
	return atomic_long_read(&lock->owner) != 0;
}

/* Model: one reader at a time, so that a writer is never kept out by a stream of them. */
void __init_rwsem(struct rw_semaphore *sem, const char *name, struct lock_class_key *key)
{
	atomic_long_set(&sem->owner, 0);
	vx_name_object(sem, name + (*name == '&'));
}

static void semaphore_take(struct rw_semaphore *sem)
{
	vx_may_sleep("down", sem);
	vx_point("lock", sem);
	while (atomic_long_read(&sem->owner))
		vx_park(queue_of(sem), vx_object_name(sem), VX_NEVER);
	atomic_long_set(&sem->owner, (long)vx_current);
}

static void semaphore_release(struct rw_semaphore *sem)
{
	atomic_long_set(&sem->owner, 0);
	wake_one_of(sem);
	vx_point("unlock", sem);
}

void down_read(struct rw_semaphore *sem) { semaphore_take(sem); }
void up_read(struct rw_semaphore *sem) { semaphore_release(sem); }
void down_write(struct rw_semaphore *sem) { semaphore_take(sem); }
void up_write(struct rw_semaphore *sem) { semaphore_release(sem); }

/* --- completions --- */

void __init_swait_queue_head(struct swait_queue_head *q, const char *name,
			     struct lock_class_key *key)
{
	raw_spin_lock_init(&q->lock);
	INIT_LIST_HEAD(&q->task_list);
	vx_name_object(q, name + (*name == '&'));
	vx_object_begins(q, name + (*name == '&'));
}

void complete(struct completion *x)
{
	vx_point("complete", &x->wait);
	vx_object_used(&x->wait);
	if (x->done != UINT_MAX)
		x->done++;
	wake_one_of(&x->wait);
}

void complete_all(struct completion *x)
{
	struct vx_queue *queue;

	vx_point("complete", &x->wait);
	vx_object_used(&x->wait);
	x->done = UINT_MAX;
	queue = find_queue(&x->wait);
	if (queue)
		vx_wake_all(queue);
}

unsigned long wait_for_completion_timeout(struct completion *x, unsigned long timeout)
{
	u64 deadline_ns = vx_shared.now_ns + timeout * NS_PER_JIFFY;

	vx_may_sleep("wait_for_completion", &x->wait);
	vx_point("wait", &x->wait);
	while (!x->done) {
		if (timeout == MAX_SCHEDULE_TIMEOUT)
			vx_park(queue_of(&x->wait), vx_object_name(&x->wait), VX_NEVER);
		else if (!vx_park(queue_of(&x->wait), vx_object_name(&x->wait), deadline_ns))
			break;
	}
	if (!x->done)
		return 0;
	if (x->done != UINT_MAX)
		x->done--;
	return timeout == MAX_SCHEDULE_TIMEOUT || vx_shared.now_ns >= deadline_ns ?
		       1 :
		       (deadline_ns - vx_shared.now_ns) / NS_PER_JIFFY + 1;
}

void wait_for_completion(struct completion *x)
{
	wait_for_completion_timeout(x, MAX_SCHEDULE_TIMEOUT);
}

bool try_wait_for_completion(struct completion *x)
{
	if (!x->done)
		return false;
	if (x->done != UINT_MAX)
		x->done--;
	return true;
}

bool completion_done(struct completion *x)
{
	return x->done != 0;
}

/* --- wait queues: the entry's function wakes its task, schedule() sleeps --- */

void __init_waitqueue_head(struct wait_queue_head *head, const char *name,
			   struct lock_class_key *key)
{
	spin_lock_init(&head->lock);
	INIT_LIST_HEAD(&head->head);
	vx_name_object(head, name + (*name == '&'));
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
