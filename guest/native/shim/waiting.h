/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who waits for what: queues of the core by the object's address, and the locks that a context holds.
 * The kernel's own fields say who has a lock, so that a damaged or freed one shows.
 */
#ifndef VX_WAITING_H
#define VX_WAITING_H

#include "shim.h"

void vx_check_access(const void *address, size_t size, bool write);

struct vx_queue *vx_find_queue(const void *object); /* NULL if nobody has waited there */
struct vx_queue *vx_queue_of(const void *object);
void vx_wake_one_of(const void *object);
void vx_wake_all_of(const void *object);

/* The name of a lock or completion from what it was initialised as, in the words of schedules. */
void vx_name_lock(const void *object, const char *initialised_as);

void vx_wait_for_lock(const void *lock, const struct vx_ctx *owner);
void vx_now_holds(const void *lock);
void vx_holds_no_more(const void *lock);

/* An object that a function of ours is about to use for somebody else: is it alive? */
#define vx_touch(object) (vx_check_access(object, sizeof(*(object)), true), vx_order(object))

#endif
