/* SPDX-License-Identifier: MIT */
/*
 * Plays one schedule: mirrors sim.engine.Engine and guest.native.contexts.Contexts over contexts of
 * the guest, contexts from outside and acts of the host. What it does not know, or what would be a
 * violation, ends it with VX_UNKNOWN: the same schedule is then played by Python.
 */
#include "engine.h"

#define LOCKUP_NS 20000000000ull /* sim.bounds.LOCKUP_NS */
#define STILL_STEPS_MAX 15000 /* sim.bounds.STILL_STEPS_MAX */
#define DECISIONS_MAX 65536

void vx_resume(uint32_t id);
void vx_reset_to_ready(void);
void vx_boot(void);

static uint16_t decisions[DECISIONS_MAX] VX_LEFT;
static uint32_t decisions_count VX_LEFT;

VX_EXPORT struct vx_report {
	uint32_t outcome, steps, choices, latest, lasted, unused;
	uint64_t at_ns, times, stream;
} vx_report VX_LEFT;

VX_EXPORT const uint16_t *vx_decisions(void)
{
	return decisions;
}

static uint32_t decided(uint32_t chosen, uint32_t count)
{
	if (decisions_count == DECISIONS_MAX || chosen >= count) {
		vx_gave_up = true;
		return 0;
	}
	decisions[decisions_count++] = chosen;
	return chosen;
}

static struct vx_runner *options[VX_RUNNERS_MAX] VX_LEFT;

/* Who goes on; NULL if nobody can. */
static struct vx_runner *pick(void)
{
	for (;;) {
		uint32_t count = 0, chosen = 0;
		bool late;

		if (vx_steps - vx_progress_step > STILL_STEPS_MAX)
			vx_gave_up = true;
		if (vx_on && vx_allows(vx_on))
			options[count++] = vx_on;
		for (uint32_t i = 0; i < vx_ready_count; i++)
			if (vx_allows(vx_ready[i]))
				options[count++] = vx_ready[i];
		if (!count || vx_gave_up)
			return NULL;
		late = vx_may_be_late();
		if (count + late > 1)
			chosen = decided(vx_choose(options, count, late), count + late);
		if (vx_gave_up)
			return NULL;
		if (chosen < count)
			return options[chosen];
		if (!vx_be_late())
			return NULL;
	}
}

static void key_rest(void)
{
	if (vx_rest.waits_for == VX_TIME) {
		vx_key_begin(VX_IN_TIME, 0, vx_now_ns, NULL);
		vx_key_bytes(&vx_now_ns, sizeof(vx_now_ns));
		return;
	}
	vx_key_begin(VX_IN_CHOSEN, decided(vx_choose_fault(vx_rest.fault, vx_rest.at), 2),
		     vx_now_ns, NULL);
}

/* All that the input does whose key was made, also after what it waits for in its midst. */
static bool known(struct vx_runner *resumed, struct vx_trap *trap)
{
	struct vx_effects effects;

	while (!vx_gave_up && vx_key_known(&effects) && vx_apply(effects, resumed, trap)) {
		if (vx_rest.waits_for == VX_NOTHING_MORE)
			return true;
		key_rest();
	}
	return false;
}

static struct vx_runner *guest_runner(uint32_t number)
{
	return vx_runner_of(VX_OF_GUEST, number);
}

static void follow_cpu(const struct vx_note *note)
{
	switch (note->kind) {
	case VX_CPU_DEAD:
		vx_cpu_dies(note->a);
		break;
	case VX_CPU_TAKEN_OVER:
		vx_cpu_is_taken_over(note->a);
		break;
	case VX_CPU_STARTS:
		vx_cpu_starts(note->a);
		break;
	}
}

/* What the guest has started, woken and told since it was last asked. */
bool vx_drain_notes(void)
{
	uint32_t count = vx_shared.notes_count;

	vx_shared.notes_count = 0;
	if (vx_shared.found_outside)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		const struct vx_note *note = &vx_shared.notes[i];
		const struct vx_ctx *ctx;
		struct vx_runner *runner;

		switch (note->kind) {
		case VX_STARTED:
			ctx = vx_context(note->ctx);
			runner = vx_add_runner(VX_OF_GUEST, ctx->kind, ctx->cpu, ctx->title,
					       __builtin_strlen(ctx->title));
			if (!runner)
				return false;
			vx_make_ready(runner);
			break;
		case VX_WOKEN:
			vx_wake_runner(guest_runner(note->ctx));
			break;
		case VX_LOG:
			break;
		default:
			vx_key_begin(VX_IN_NOTE, 0, vx_now_ns, vx_on);
			if (!vx_key_note(note) || !known(NULL, NULL))
				return false;
			follow_cpu(note);
		}
	}
	return !vx_gave_up;
}

static bool finish(struct vx_runner *runner)
{
	vx_on = NULL;
	if (runner->preempt_off || runner->irqs_off || runner->bh_off || runner->held)
		return false; /* it ended while atomic */
	runner->done = true;
	runner->ready = false;
	if (runner->cpu != VX_NO_CPU)
		vx_leave_cpu(runner);
	if (vx_is_shell(runner)) {
		vx_key_begin(VX_IN_ENDED, 0, vx_now_ns, runner);
		if (!known(NULL, NULL))
			return false;
	}
	if (runner->joiner)
		vx_wake_runner(runner->joiner);
	return true;
}

static bool park(struct vx_runner *runner)
{
	bool atomic = runner->kind == VX_SOFTIRQ || runner->kind == VX_HARDIRQ || runner->preempt_off ||
		      runner->bh_off || runner->irqs_off;

	vx_on = NULL;
	if (runner->cpu == VX_NO_CPU)
		return true;
	if (!atomic) {
		vx_leave_cpu(runner);
		runner->busy_since_ns = VX_NEVER;
	} else if (runner->busy_since_ns == VX_NEVER) {
		runner->busy_since_ns = vx_now_ns;
	} else if (vx_now_ns - runner->busy_since_ns > LOCKUP_NS) {
		return false;
	}
	return true;
}

/* A context of the guest runs to its next stop; its questions are answered on the way. */
static bool run_guest(struct vx_runner *runner)
{
	struct vx_trap *trap = &vx_shared.trap;

	for (;;) {
		vx_shared.now_ns = vx_now_ns;
		vx_shared.crowded = vx_crowded;
		vx_resume(runner->number);
		runner->preempt_off = trap->preempt_off;
		runner->bh_off = trap->bh_off;
		runner->irqs_off = trap->irqs_off;
		runner->held = trap->held;
		if (!vx_drain_notes())
			return false;
		if (trap->kind != VX_ASKS)
			break;
		vx_key_begin(VX_IN_ASK, 0, vx_now_ns, runner);
		if (!vx_key_ask(trap) || !known(NULL, trap))
			return false;
	}
	if (trap->kind == VX_FOUND)
		return false;
	if (trap->kind == VX_ENDED)
		return finish(runner);
	runner->verb = trap->what;
	runner->about = trap->kind == VX_AT_POINT ? trap->text : NULL;
	runner->thing = trap->kind == VX_AT_POINT ? trap->a : 0;
	runner->stop = vx_steps;
	if (trap->kind == VX_AT_POINT)
		return true;
	runner->ready = false;
	if (trap->deadline_ns != VX_NEVER)
		vx_arm(runner, trap->deadline_ns);
	return park(runner);
}

static bool run_outside(struct vx_runner *runner)
{
	vx_key_begin(VX_IN_RESUME, runner->number, vx_now_ns, runner);
	if (!known(runner, NULL))
		return false;
	if (runner->done)
		return finish(runner);
	runner->stop = vx_steps;
	return runner->ready || park(runner);
}

static bool run_act(struct vx_runner *act)
{
	act->done = true;
	vx_clock_changed();
	vx_key_begin(VX_IN_ACTION, vx_act_begins(act), vx_now_ns, NULL);
	vx_key_windows();
	return known(NULL, NULL);
}

static bool go_on(struct vx_runner *runner)
{
	vx_steps++;
	if (runner != vx_on) {
		vx_unready(runner);
		if (vx_on)
			vx_ready[vx_ready_count++] = vx_on;
		vx_on = NULL;
	}
	if (runner->sort == VX_ACTION)
		return run_act(runner);
	vx_on = runner;
	if (runner->cpu != VX_NO_CPU)
		vx_switch_to(runner);
	vx_crowded = vx_ready_count || vx_may_be_late();
	return runner->sort == VX_OF_GUEST ? run_guest(runner) : run_outside(runner);
}

/* Whoever of the guest has not ended by now waits for ever: that is for Python to tell. */
static bool end(void)
{
	for (uint32_t i = 0; i < vx_runners_count; i++)
		if (!vx_runners[i].done && vx_runners[i].cpu != VX_NO_CPU)
			return false;
	vx_key_begin(VX_IN_END, 0, vx_now_ns, NULL);
	vx_key_end();
	return known(NULL, NULL);
}

static bool play(void)
{
	vx_boot();
	if (!vx_drain_notes())
		return false;
	vx_key_begin(VX_IN_RESUME, 0xffffffff, 0, NULL); /* the actors enter */
	if (!known(NULL, NULL))
		return false;
	for (;;) {
		struct vx_runner *runner = pick();

		if (vx_gave_up)
			return false;
		if (runner) {
			if (!go_on(runner) || vx_gave_up)
				return false;
		} else if (!vx_pass()) {
			return end();
		}
	}
}

VX_EXPORT void vx_play(const struct vx_plan *plan, uint32_t lates)
{
	vx_reset_to_ready();
	vx_shared.quiet = 1;
	vx_clock_reset(lates);
	vx_runners_reset();
	vx_inputs_reset();
	vx_effects_reset();
	vx_chooser_reset(plan);
	decisions_count = 0;
	vx_known_restart();
	vx_report.outcome = !vx_gave_up && play() ? VX_PLAYED : VX_UNKNOWN;
	vx_orders_end();
	vx_report.steps = vx_steps;
	vx_report.choices = decisions_count;
	vx_report.latest = vx_known_latest();
	vx_report.lasted = vx_delay_lasted();
	vx_report.at_ns = vx_now_ns;
	vx_report.times = vx_times;
	vx_report.stream = vx_known_stream();
}
