/* SPDX-License-Identifier: MIT */
/*
 * What never comes to its next trap. Accesses and calls are counted, so that the same loop is found
 * at the same place in every process; a loop with neither is found by a clock, which counts the
 * process's own time only and so is no affair of how busy the machine is.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "vx.h"

#define TICKS_MAX 8u

uint32_t vx_steps_left;

static uint32_t ticks VX_LEFT, resumes_at_tick VX_LEFT, tick_ms VX_LEFT;
static pid_t ticking_in VX_LEFT; /* a child does not inherit the timer */

void vx_never_ends(void)
{
	vx_steps_left = VX_STEPS_MAX;
	if (vx_current)
		vx_finding("hang", "%s takes %u steps without ever waiting", vx_current->title,
			   VX_STEPS_MAX);
}

static void on_tick(int number, siginfo_t *info, void *argument)
{
	const ucontext_t *context = argument;

	(void)number, (void)info;
	if (!vx_current || resumes_at_tick != vx_resumes) {
		resumes_at_tick = vx_resumes;
		ticks = 0;
		return;
	}
	if (++ticks < TICKS_MAX)
		return;
	ticks = 0;
	vx_interrupted_at((const void *)context->uc_mcontext.gregs[REG_RIP],
			  (const void *)context->uc_mcontext.gregs[REG_RBP]);
	vx_finding("hang", "%s loops without ever waiting", vx_current->title);
}

/* How long guest code may run without a trap: 8 ticks, of the process's own time. */
VX_EXPORT int vx_watch_time(uint32_t milliseconds)
{
	struct sigaction action = { .sa_sigaction = on_tick,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART };
	struct itimerval every = { { milliseconds / 1000, milliseconds % 1000 * 1000 },
				   { milliseconds / 1000, milliseconds % 1000 * 1000 } };

	tick_ms = milliseconds;
	ticking_in = getpid();
	return sigaction(SIGVTALRM, &action, NULL) || setitimer(ITIMER_VIRTUAL, &every, NULL) ? -1 : 0;
}

/* In a process that was forked since. */
void vx_watch_on(void)
{
	if (tick_ms && ticking_in != getpid())
		vx_watch_time(tick_ms);
}
