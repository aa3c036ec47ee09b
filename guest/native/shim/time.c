/* SPDX-License-Identifier: GPL-2.0-only */
/* Time, and who lets it pass: asleep, or on his CPU. */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>

#include "shim.h"

unsigned long volatile jiffies;

ktime_t ktime_get(void)
{
	return vx_shared.now_ns;
}

static void pass(const char *how, u64 ns)
{
	vx_park(NULL, how, vx_shared.now_ns + ns);
}

void msleep(unsigned int ms)
{
	vx_may_sleep("msleep", NULL);
	pass("msleep", (u64)ms * NSEC_PER_MSEC);
}

void usleep_range_state(unsigned long least_us, unsigned long most_us, unsigned int state)
{
	vx_may_sleep("usleep_range", NULL);
	pass("usleep_range", (u64)least_us * NSEC_PER_USEC);
}

void __udelay(unsigned long us)
{
	if (vx_is_crashing) {
		vx_crash_delay((u64)us * NSEC_PER_USEC);
		return;
	}
	preempt_disable();
	pass("udelay", (u64)us * NSEC_PER_USEC);
	preempt_enable();
}

/* The host does not let the CPU go on meanwhile: nor does another thread get it. */
void vx_stand_still(u64 ns)
{
	preempt_disable();
	pass("host holds the CPU", ns);
	preempt_enable();
}

/* cpu_relax(): a loop that waits for what another does, or for time. */
void vx_relax(void)
{
	pass("cpu_relax", NSEC_PER_USEC);
}

/* udelay() with a constant: loops of 2^32 / 10^6 each. */
void __const_udelay(unsigned long loops)
{
	__udelay(loops / 0x10c7);
}

unsigned long __msecs_to_jiffies(const unsigned int ms)
{
	return DIV_ROUND_UP_ULL((u64)ms * NSEC_PER_MSEC, NS_PER_JIFFY);
}
