/* SPDX-License-Identifier: MIT */
/*
 * Who may go on, the longest runnable first, and what may interrupt what on a CPU. Mirrors
 * sim.engine.Engine and guest.kernel.cpu.Cpu. Knows neither time nor who chooses.
 */
#include <stdio.h>

#include "engine.h"

#define NAMES_MAX 8192 /* a power of two */
#define PLACE_BYTES 256

struct vx_runner vx_runners[VX_RUNNERS_MAX] VX_LEFT;
struct vx_runner *vx_ready[VX_RUNNERS_MAX] VX_LEFT, *vx_on VX_LEFT;
uint32_t vx_ready_count VX_LEFT, vx_runners_count VX_LEFT;
bool vx_crowded VX_LEFT;
static struct vx_cpu cpus[VX_CPUS_MAX] VX_LEFT;
static struct vx_runner *of_sort[3][VX_RUNNERS_MAX] VX_LEFT;
static uint32_t sort_count[3] VX_LEFT;

/* Names outlive runs: a name has the same number in each. */
static struct {
	uint64_t name; /* a digest of it */
	uint32_t number, times, run; /* how often it was given as a title in that run */
} names[NAMES_MAX] VX_LEFT;
static uint32_t names_count VX_LEFT, run VX_LEFT;

uint64_t vx_digest(const void *bytes, size_t size)
{
	uint64_t digest = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < size; i++)
		digest = (digest ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3ull;
	return digest ^ digest >> 29;
}

static unsigned slot_of_name(uint64_t name)
{
	unsigned slot = name >> 20 & (NAMES_MAX - 1);

	while (names[slot].name && names[slot].name != name)
		slot = (slot + 1) & (NAMES_MAX - 1);
	if (!names[slot].name) {
		names[slot].name = name;
		names[slot].number = names_count++;
	}
	return slot;
}

uint32_t vx_name_of(const char *name)
{
	return names[slot_of_name(vx_digest(name, __builtin_strlen(name)) | 1)].number;
}

/* How often this title has been given in this run, with this time. */
static uint32_t times_of(uint64_t title)
{
	unsigned slot = slot_of_name(title);

	if (names[slot].run != run)
		names[slot].times = 0;
	names[slot].run = run;
	return ++names[slot].times;
}

/* The name of the nth context of a title, as sim.engine.Engine makes it unique. */
static uint32_t nth_name(const char *title, size_t length, uint32_t nth)
{
	char name[PLACE_BYTES];

	snprintf(name, sizeof(name), "%.*s#%u", (int)length, title, nth);
	return vx_name_of(name);
}

void vx_runners_reset(void)
{
	vx_ready_count = vx_runners_count = 0;
	vx_on = NULL;
	vx_crowded = false;
	run++;
	vx_fill(sort_count, 0, sizeof(sort_count));
	vx_fill(cpus, 0, vx_shared.cpus * sizeof(cpus[0]));
}

struct vx_runner *vx_runner_of(enum vx_sort sort, uint32_t number)
{
	return number < sort_count[sort] ? of_sort[sort][number] : NULL;
}

/* A new one, not yet ready. Acts of the host of one label share a name; contexts never do. */
struct vx_runner *vx_add_runner(enum vx_sort sort, enum vx_kind kind, unsigned cpu, const char *title,
				size_t length)
{
	struct vx_runner *runner = &vx_runners[vx_runners_count];
	uint64_t digest = vx_digest(title, length) | 1;
	uint32_t nth = sort == VX_ACTION ? 1 : times_of(digest);

	if (vx_runners_count == VX_RUNNERS_MAX || names_count >= NAMES_MAX / 2) {
		vx_gave_up = true;
		return NULL;
	}
	vx_runners_count++;
	*runner = (struct vx_runner){ .sort = sort, .kind = kind, .cpu = cpu, .title = digest,
				      .nth = nth, .busy_since_ns = VX_NEVER, .verb = "start" };
	runner->name = nth > 1 ? nth_name(title, length, nth) : names[slot_of_name(digest)].number;
	runner->number = sort_count[sort];
	of_sort[sort][sort_count[sort]++] = runner;
	return runner;
}

/* A new context may run as soon as its CPU lets it. */
void vx_make_ready(struct vx_runner *runner)
{
	runner->ready = true;
	vx_ready[vx_ready_count++] = runner;
	if (runner->sort != VX_ACTION)
		vx_crowded = true;
	if (runner->cpu == VX_NO_CPU || runner->kind != VX_SOFTIRQ)
		return;
	if (cpus[runner->cpu].pending_count == 64)
		vx_gave_up = true;
	else
		cpus[runner->cpu].pending[cpus[runner->cpu].pending_count++] = runner;
}

void vx_unready(struct vx_runner *runner)
{
	uint32_t at = 0;

	while (at < vx_ready_count && vx_ready[at] != runner)
		at++;
	if (at == vx_ready_count)
		return;
	for (vx_ready_count--; at < vx_ready_count; at++)
		vx_ready[at] = vx_ready[at + 1];
}

void vx_wake_runner(struct vx_runner *runner)
{
	if (runner->ready || runner->done)
		return;
	runner->ready = true;
	vx_disarm(runner);
	vx_ready[vx_ready_count++] = runner;
	vx_crowded = true;
}

bool vx_allows(const struct vx_runner *runner)
{
	const struct vx_cpu *cpu;
	const struct vx_runner *top, *thread;
	bool open;

	if (runner->cpu == VX_NO_CPU)
		return true;
	cpu = &cpus[runner->cpu];
	thread = cpu->thread;
	if (cpu->hardirq)
		return cpu->hardirq == runner;
	if (runner->kind == VX_HARDIRQ) {
		top = cpu->softirq ? cpu->softirq : thread;
		return !top || !top->irqs_off;
	}
	if (cpu->softirq)
		return cpu->softirq == runner;
	open = !thread || !(thread->bh_off || thread->irqs_off);
	if (cpu->pending_count && open)
		return cpu->pending[0] == runner;
	if (!thread || thread == runner)
		return runner->kind != VX_SOFTIRQ;
	return open && !thread->preempt_off;
}

void vx_switch_to(struct vx_runner *runner)
{
	struct vx_cpu *cpu = &cpus[runner->cpu];
	unsigned at = 0;

	if (runner->kind == VX_HARDIRQ) {
		cpu->hardirq = runner;
	} else if (runner->kind != VX_SOFTIRQ) {
		cpu->thread = runner;
	} else if (cpu->softirq != runner) {
		while (cpu->pending[at] != runner)
			at++;
		for (cpu->pending_count--; at < cpu->pending_count; at++)
			cpu->pending[at] = cpu->pending[at + 1];
		cpu->softirq = runner;
	}
}

void vx_leave_cpu(struct vx_runner *runner)
{
	struct vx_cpu *cpu = &cpus[runner->cpu];

	if (cpu->hardirq == runner)
		cpu->hardirq = NULL;
	else if (cpu->softirq == runner)
		cpu->softirq = NULL;
	else if (cpu->thread == runner)
		cpu->thread = NULL;
}

/* --- CPUs that go and come: guest/kernel/cpu_takedown.py, guest/native/processors.py --- */

static const struct vx_runner nobody; /* on a CPU in play_dead(), into which no interrupt gets */

bool vx_cpu_is_online(unsigned cpu)
{
	return cpus[cpu].hardirq != &nobody;
}

static void drop(struct vx_runner *runner)
{
	runner->done = true;
	runner->ready = false;
	vx_unready(runner);
}

/*
 * Whoever is bound to it goes on at the next one; an interrupt that nobody will take is forgotten.
 * Model: Linux picks any CPU that is online, as guest/kernel/cpu_takedown.py says.
 */
void vx_cpu_dies(unsigned cpu)
{
	unsigned next = cpu;

	cpus[cpu].hardirq = &nobody;
	while (!vx_cpu_is_online(next))
		next = (next + 1) % vx_shared.cpus;
	for (uint32_t i = 0; i < vx_runners_count; i++) {
		struct vx_runner *runner = &vx_runners[i];

		if (runner->done || runner->cpu != cpu || runner == vx_on ||
		    runner->kind == VX_SOFTIRQ)
			continue;
		if (runner->kind == VX_HARDIRQ) {
			drop(runner);
			continue;
		}
		runner->cpu = next;
		if (runner->sort == VX_OF_GUEST)
			vx_move(runner->number, next);
	}
}

/* What its softirqs were to do was raised again elsewhere. */
void vx_cpu_is_taken_over(unsigned cpu)
{
	while (cpus[cpu].pending_count)
		drop(cpus[cpu].pending[--cpus[cpu].pending_count]);
}

void vx_cpu_starts(unsigned cpu)
{
	cpus[cpu] = (struct vx_cpu){};
}

void vx_place(const struct vx_runner *runner, char *text, size_t size)
{
	const char *name = runner->about;

	if (runner->thing)
		name = vx_object_name((const void *)runner->thing);
	snprintf(text, size, name ? "%s %s" : "%s", runner->verb, name);
}
