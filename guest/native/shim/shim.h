/* SPDX-License-Identifier: GPL-2.0-only */
/* What the shim's files share. They stand between the kernel's files and the core. */
#ifndef VX_SHIM_H
#define VX_SHIM_H

#include <linux/completion.h>
#include <linux/interrupt.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/swait.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "../core/vx.h"
#include "versions.h"

#define NS_PER_JIFFY (NSEC_PER_SEC / HZ)

static inline bool vx_atomic(void)
{
	return preempt_count() & ~PREEMPT_NEED_RESCHED || vx_irqs_off || vx_current->kind >= VX_SOFTIRQ;
}

extern bool vx_is_crashing;
void vx_crash_delay(u64 ns); /* panic.c */

void vx_may_sleep(const char *what, const void *object);
void vx_bh_on(void); /* local_bh_enable(), but that nobody goes on here */
void vx_raise_softirqs(unsigned int cpu);
void vx_on_cpu(unsigned int cpu, int (*call)(unsigned int cpu));
void vx_check_node(int node);
void vx_stand_still(u64 ns);
const char *vx_allocation_name(const void *caller);
bool vx_allocation_fails(const char *name);
void vx_begin_faults(void);
struct kvec;
bool vx_ring_is_full(const struct kvec *parts, u32 count);
u64 vx_physical(const volatile void __iomem *address);

#endif
