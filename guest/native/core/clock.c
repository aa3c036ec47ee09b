/* SPDX-License-Identifier: MIT */
/*
 * Time of a run played in C: deadlines, windows of the host's acts, and how late a run may be.
 * Mirrors sim.timekeeper.Timekeeper; where that would call a run stuck, this one gives up.
 */
#include "engine.h"

#define STALL_MAX_NS 1000000000ull /* sim.bounds.STALL_MAX_NS */
#define QUIET_MAX_NS 600000000000ull /* sim.bounds.QUIET_MAX_NS */
#define FRUITLESS_WAKES_MAX 2000 /* sim.pollers */
#define DEADLINES_MAX 4096

static struct deadline {
	uint64_t at_ns, seq;
	struct vx_runner *runner;
} deadlines[DEADLINES_MAX] VX_LEFT; /* the earliest last; of two at one time the older is later here */
static uint32_t deadlines_count VX_LEFT;
static uint64_t next_seq VX_LEFT, stall_ns VX_LEFT, progress_ns VX_LEFT;
static uint32_t lates VX_LEFT, advance_step VX_LEFT, wakes VX_LEFT, wakes_step VX_LEFT;
static int late VX_LEFT; /* what vx_may_be_late() found; -1 once that may have changed */

uint64_t vx_now_ns VX_LEFT;
uint32_t vx_steps VX_LEFT, vx_progress_step VX_LEFT;
bool vx_gave_up VX_LEFT;

void vx_clock_reset(uint32_t lates_allowed)
{
	deadlines_count = 0;
	next_seq = 0;
	stall_ns = STALL_MAX_NS;
	progress_ns = vx_now_ns = 0;
	lates = lates_allowed;
	advance_step = wakes = wakes_step = 0;
	vx_steps = vx_progress_step = 0;
	late = -1;
	vx_gave_up = false;
}

void vx_arm(struct vx_runner *runner, uint64_t at_ns)
{
	uint32_t at = deadlines_count++;

	if (at == DEADLINES_MAX - 1) {
		vx_gave_up = true;
		deadlines_count--;
		return;
	}
	for (; at && deadlines[at - 1].at_ns <= at_ns; at--)
		deadlines[at] = deadlines[at - 1];
	runner->armed = true;
	runner->seq = ++next_seq;
	deadlines[at] = (struct deadline){ at_ns, runner->seq, runner };
	late = -1;
	if (lates && at_ns <= vx_now_ns + stall_ns)
		vx_crowded = true;
}

/* It has no deadline any more, if it had one. */
void vx_disarm(struct vx_runner *runner)
{
	if (!runner->armed)
		return;
	runner->armed = false;
	late = -1;
	for (uint32_t at = 0; at < deadlines_count; at++) {
		if (deadlines[at].seq != runner->seq)
			continue;
		for (deadlines_count--; at < deadlines_count; at++)
			deadlines[at] = deadlines[at + 1];
	}
}

void vx_clock_changed(void)
{
	late = -1;
}

/* Whether time may pass to the next deadline although something could run. */
bool vx_may_be_late(void)
{
	uint64_t reach_ns = vx_now_ns + stall_ns;

	if (late >= 0)
		return late;
	late = 0;
	if (!lates || !deadlines_count)
		return false;
	for (uint32_t i = 0; i < vx_ready_count; i++)
		if (vx_ready[i]->sort == VX_ACTION && vx_ready[i]->latest_ns < reach_ns)
			reach_ns = vx_ready[i]->latest_ns;
	late = deadlines[deadlines_count - 1].at_ns <= reach_ns;
	return late;
}

static void is_due(struct vx_runner *runner)
{
	runner->armed = false;
	if (runner->sort == VX_ACTION) {
		vx_ready[vx_ready_count++] = runner;
		return;
	}
	if (vx_progress_step != wakes_step) {
		wakes_step = vx_progress_step;
		wakes = 0;
	}
	if (++wakes > FRUITLESS_WAKES_MAX)
		vx_gave_up = true;
	vx_wake_runner(runner);
}

/* Nothing can go on: let time pass to the next deadline; false if there is none. */
bool vx_pass(void)
{
	if (!deadlines_count)
		return false;
	if (vx_progress_step > advance_step)
		progress_ns = vx_now_ns;
	advance_step = vx_steps;
	if (deadlines[deadlines_count - 1].at_ns > vx_now_ns)
		vx_now_ns = deadlines[deadlines_count - 1].at_ns;
	late = -1;
	if (vx_now_ns - progress_ns > QUIET_MAX_NS)
		vx_gave_up = true;
	while (deadlines_count && deadlines[deadlines_count - 1].at_ns <= vx_now_ns)
		is_due(deadlines[--deadlines_count].runner);
	return true;
}

bool vx_be_late(void)
{
	uint64_t before_ns = vx_now_ns;

	lates--;
	if (!vx_pass())
		return false;
	stall_ns -= vx_now_ns - before_ns;
	return true;
}
