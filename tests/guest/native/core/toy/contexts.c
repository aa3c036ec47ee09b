/* SPDX-License-Identifier: MIT */
/* Contexts that wait for each other and for time, and say what they have come to. */
#include "toy.h"

static struct vx_queue queue;
static bool open;

static void *const *tail_is_set(void)
{
	if (!queue.tail)
		vx_queue_init(&queue, "gate");
	return (void *const *)queue.tail;
}

static void wait_for_gate(const char *after)
{
	tail_is_set();
	while (!open)
		vx_park(&queue, "gate", VX_NEVER);
	toy_note(after);
}

TOY(first_waiter) { wait_for_gate("first"); }
TOY(second_waiter) { wait_for_gate("second"); }

TOY(opens_gate)
{
	tail_is_set();
	open = true;
	vx_wake_all(&queue);
	toy_note("opened");
}

TOY(opens_for_one)
{
	tail_is_set();
	open = true;
	vx_wake_one(&queue);
}

TOY(waits_until_a_time)
{
	tail_is_set();
	toy_note(vx_park(&queue, "gate", vx_shared.now_ns + 5000) ? "woken" : "late");
}

TOY(says_twice)
{
	toy_note("once");
	vx_point("between", NULL);
	toy_note("twice");
}

TOY(asks) { vx_shared.notes[0].d = vx_ask(VX_MMIO_READ, 0x1000, 0, 0, 4); }

static void child(void *argument) { toy_note(argument); }

TOY(starts_another)
{
	vx_start(VX_SOFTIRQ, 1, "child", child, "from the child");
	toy_note("from the parent");
}

/* Others may come between, at every point; for itself no time passes. */
static void do_things(void *count)
{
	for (uintptr_t i = 0; i < (uintptr_t)count; i++) {
		vx_note(VX_POWERED_ON, NULL);
		vx_point("between", NULL);
	}
}

TOY(softirq_without_an_end) { vx_start(VX_SOFTIRQ, 1, "busy", do_things, (void *)UINTPTR_MAX); }
TOY(softirq_with_much_to_do) { vx_start(VX_SOFTIRQ, 1, "busy", do_things, (void *)4000); }
TOY(thread_with_much_to_do) { do_things((void *)5000); }
