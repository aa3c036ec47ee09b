/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Spinlocks: whoever spins keeps its CPU, with preemption off. Taking and releasing one is a point
 * at which others may go on, before and after the part that nobody interrupts.
 */
#include "waiting.h"

void __raw_spin_lock_init(raw_spinlock_t *lock, const char *name, struct lock_class_key *key,
			  short inner)
{
	*lock = (raw_spinlock_t)__RAW_SPIN_LOCK_UNLOCKED(lock);
	vx_name_lock(lock, name);
}

/* Those who assert that a lock is held look at its word. */
static void own(raw_spinlock_t *lock)
{
	lock->owner = vx_current;
	atomic_set(&lock->raw_lock.val, 1);
	vx_now_holds(lock);
}

static void come_to(raw_spinlock_t *lock)
{
	vx_point("lock", lock);
	vx_touch(lock);
	if (lock->magic != SPINLOCK_MAGIC)
		vx_finding("uninitialised", "spinlock %s was not initialised", vx_object_name(lock));
}

static void take(raw_spinlock_t *lock)
{
	while (lock->owner != SPINLOCK_OWNER_INIT) {
		vx_wait_for_lock(lock, lock->owner);
		vx_touch(lock);
	}
	own(lock);
}

static void release(raw_spinlock_t *lock)
{
	vx_touch(lock);
	if (lock->owner != vx_current)
		vx_finding("deadlock", "%s releases %s which it does not hold", vx_current->title,
			   vx_object_name(lock));
	lock->owner = SPINLOCK_OWNER_INIT;
	atomic_set(&lock->raw_lock.val, 0);
	vx_holds_no_more(lock);
	vx_wake_one_of(lock);
}

void _raw_spin_lock(raw_spinlock_t *lock)
{
	come_to(lock);
	preempt_disable();
	take(lock);
}

void _raw_spin_lock_bh(raw_spinlock_t *lock)
{
	local_bh_disable();
	come_to(lock);
	preempt_disable();
	take(lock);
}

void _raw_spin_lock_irq(raw_spinlock_t *lock)
{
	come_to(lock);
	local_irq_disable();
	preempt_disable();
	take(lock);
}

unsigned long _raw_spin_lock_irqsave(raw_spinlock_t *lock)
{
	unsigned long flags;

	come_to(lock);
	local_irq_save(flags);
	preempt_disable();
	take(lock);
	return flags;
}

int _raw_spin_trylock(raw_spinlock_t *lock)
{
	come_to(lock);
	if (lock->owner != SPINLOCK_OWNER_INIT)
		return 0;
	preempt_disable();
	own(lock);
	return 1;
}

/* The name is taken first: once released, the lock may be gone. */
void _raw_spin_unlock(raw_spinlock_t *lock)
{
	const char *name = vx_object_name(lock);

	release(lock);
	preempt_enable();
	vx_point_named("unlock", name);
}

void _raw_spin_unlock_bh(raw_spinlock_t *lock)
{
	const char *name = vx_object_name(lock);

	release(lock);
	preempt_enable();
	vx_bh_on();
	vx_point_named("unlock", name);
}

void _raw_spin_unlock_irq(raw_spinlock_t *lock)
{
	const char *name = vx_object_name(lock);

	release(lock);
	vx_irqs_off = 0;
	preempt_enable();
	vx_point_named("unlock", name);
}

void _raw_spin_unlock_irqrestore(raw_spinlock_t *lock, unsigned long flags)
{
	const char *name = vx_object_name(lock);

	release(lock);
	if (!irqs_disabled_flags(flags))
		vx_irqs_off = 0;
	preempt_enable();
	vx_point_named("unlock", name);
}

/* --- locks for readers and writers. Model: one at a time, reader or not; nobody here nests them --- */

static void take_rwlock(rwlock_t *lock)
{
	vx_touch(lock);
	preempt_disable();
	while (lock->owner != SPINLOCK_OWNER_INIT)
		vx_wait_for_lock(lock, lock->owner);
	lock->owner = vx_current;
	vx_now_holds(lock);
}

static void release_rwlock(rwlock_t *lock)
{
	lock->owner = SPINLOCK_OWNER_INIT;
	vx_holds_no_more(lock);
	vx_wake_one_of(lock);
	preempt_enable();
}

void _raw_read_lock(rwlock_t *lock)
{
	take_rwlock(lock);
}

void _raw_read_unlock(rwlock_t *lock)
{
	release_rwlock(lock);
}

void _raw_write_lock(rwlock_t *lock)
{
	take_rwlock(lock);
}

void _raw_write_unlock(rwlock_t *lock)
{
	release_rwlock(lock);
}
