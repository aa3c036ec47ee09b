/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way down of a kernel that crashes: the panic notifiers, of which VMBus's unloads it and polls for
 * the answer. Everybody else has stopped, and does nothing any more.
 *
 * Model: the other CPUs have stopped by now, as panic() stops them where crash_kexec_post_notifiers is
 * set; Hyper-V guests set it. No second kernel is booted here.
 */
#include <linux/notifier.h>
#include <linux/panic_notifier.h>

#include "telling.h"
#include "hyperv_vmbus.h"

#define LOOP_NS (10 * NSEC_PER_MSEC) /* of vmbus_wait_for_unload() */
#define NOTICE_NS (5 * NSEC_PER_SEC) /* so often it says in the log that it still waits */

static u64 waited_ns, burnt_ns;

/*
 * A delay of the one who crashes. Model: it lets time pass a loop at a time, and as a sleep would,
 * which is the same where nobody else runs.
 */
void vx_crash_delay(u64 ns)
{
	if (!burnt_ns && (waited_ns + LOOP_NS) % NOTICE_NS == 0)
		vx_tell(UNLOAD_AWAITED, NULL, waited_ns / NSEC_PER_MSEC);
	burnt_ns += ns;
	if (burnt_ns < LOOP_NS)
		return;
	waited_ns += burnt_ns;
	vx_park(NULL, "mdelay", vx_shared.now_ns + burnt_ns);
	burnt_ns = 0;
}

static void run_panic_notifiers(void *argument)
{
	bool unloads = vmbus_connection.conn_state != DISCONNECTED &&
		       vmbus_proto_version >= VERSION_WIN8_1;

	atomic_notifier_call_chain(&panic_notifier_list, 0, "a step of the scenario");
	if (unloads)
		vx_tell(UNLOAD_ENDED, NULL, completion_done(&vmbus_connection.unload_event));
}

/* Whoever runs contexts has dropped all others. */
VX_EXPORT void vx_crash(unsigned int cpu)
{
	VX_DOOR;
	vx_is_crashing = true;
	vx_start(VX_THREAD, cpu, "panic", run_panic_notifiers, NULL);
}
