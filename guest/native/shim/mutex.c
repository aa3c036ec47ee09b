/* SPDX-License-Identifier: GPL-2.0-only */
/* Locks that sleep: mutexes, and semaphores for readers and writers. */
#include "waiting.h"

#if VX_MUTEX_INIT_IS_INLINE
void vx_init_mutex(struct mutex *lock, const char *name)
#else
void __mutex_init(struct mutex *lock, const char *name, struct lock_class_key *key)
#endif
{
	atomic_long_set(&lock->owner, 0);
	vx_name_lock(lock, name);
}

static struct vx_ctx *owner_of(atomic_long_t *owner)
{
	return (struct vx_ctx *)atomic_long_read(owner);
}

static void own(struct mutex *lock)
{
	atomic_long_set(&lock->owner, (long)vx_current);
	vx_now_holds(lock);
}

void mutex_lock(struct mutex *lock)
{
	vx_may_sleep("mutex_lock", lock);
	vx_point("lock", lock);
	vx_touch(lock);
	while (owner_of(&lock->owner)) {
		vx_wait_for_lock(lock, owner_of(&lock->owner));
		vx_touch(lock);
	}
	own(lock);
}

int mutex_trylock(struct mutex *lock)
{
	vx_point("lock", lock);
	vx_touch(lock);
	if (owner_of(&lock->owner))
		return 0;
	own(lock);
	return 1;
}

/* Nobody is killed here. */
int mutex_lock_interruptible(struct mutex *lock)
{
	mutex_lock(lock);
	return 0;
}

void mutex_unlock(struct mutex *lock)
{
	const char *name = vx_object_name(lock);

	vx_touch(lock);
	if (owner_of(&lock->owner) != vx_current)
		vx_finding("deadlock", "%s releases %s which it does not hold", vx_current->title, name);
	atomic_long_set(&lock->owner, 0);
	vx_holds_no_more(lock);
	vx_wake_one_of(lock);
	vx_point_named("unlock", name);
}

bool mutex_is_locked(struct mutex *lock)
{
	return owner_of(&lock->owner) != NULL;
}

/* --- semaphores: `count` is the number of readers, `owner` the writer --- */

void __init_rwsem(struct rw_semaphore *sem, const char *name, struct lock_class_key *key)
{
	atomic_long_set(&sem->count, 0);
	atomic_long_set(&sem->owner, 0);
	vx_name_lock(sem, name);
}

static void come_to(struct rw_semaphore *sem, const char *what)
{
	vx_may_sleep(what, sem);
	vx_point("lock", sem);
	vx_touch(sem);
}

static void wait_for(struct rw_semaphore *sem)
{
	if (owner_of(&sem->owner))
		vx_wait_for_lock(sem, owner_of(&sem->owner));
	else
		vx_park(vx_queue_of(sem), vx_object_name(sem), VX_NEVER);
}

/*
 * Model: a reader goes in although a writer waits; Linux lets none overtake it. A reader that comes
 * twice would block itself there.
 */
void down_read(struct rw_semaphore *sem)
{
	come_to(sem, "down_read");
	while (owner_of(&sem->owner))
		wait_for(sem);
	atomic_long_inc(&sem->count);
	vx_now_holds(sem);
}

void down_write(struct rw_semaphore *sem)
{
	come_to(sem, "down_write");
	while (owner_of(&sem->owner) || atomic_long_read(&sem->count))
		wait_for(sem);
	atomic_long_set(&sem->owner, (long)vx_current);
	vx_now_holds(sem);
}

static void let_go(struct rw_semaphore *sem)
{
	const char *name = vx_object_name(sem);

	vx_holds_no_more(sem);
	vx_wake_all_of(sem);
	vx_point_named("unlock", name);
}

void up_read(struct rw_semaphore *sem)
{
	vx_touch(sem);
	atomic_long_dec(&sem->count);
	let_go(sem);
}

void up_write(struct rw_semaphore *sem)
{
	vx_touch(sem);
	atomic_long_set(&sem->owner, 0);
	let_go(sem);
}
