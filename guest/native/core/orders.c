/* SPDX-License-Identifier: MIT */
/*
 * One run of the search of all orders: the same as DfsChooser in sim/explore/dfs_run.py, which says
 * what sleeps when, and what branches off. Fed the same options it chooses and tells the same.
 */
#include <stdio.h>

#include "engine.h"

#define DEPTH_MAX 5000
#define WIDTH_MAX 255
#define PLACE_BYTES 256
#define ASLEEP_MAX 64
#define SLEEPERS_MAX 16384
#define FORKS_MAX (1u << 18)
#define TEXT_MAX (4u << 20)

struct step { /* what a context did, from one point to the next; only its ends at locks count */
	uint32_t name, stop, cpu;
	uint32_t number; /* of it as a sleeper, and 1; 0: it is none yet */
	bool from_lock, to_lock;
	uint64_t from, to; /* what it touches there */
	const struct vx_runner *who;
	char before[PLACE_BYTES], after[PLACE_BYTES];
};

VX_EXPORT struct vx_trunk vx_trunk VX_LEFT;
static uint8_t decisions[DEPTH_MAX] VX_LEFT, widths[DEPTH_MAX] VX_LEFT;
static uint32_t forks[FORKS_MAX] VX_LEFT;
static struct vx_sleeper sleepers[SLEEPERS_MAX] VX_LEFT;
static char text[TEXT_MAX] VX_LEFT;
static uint32_t text_used VX_LEFT;

static struct step asleep[ASLEEP_MAX] VX_LEFT, step VX_LEFT;
static uint32_t asleep_count VX_LEFT, planned VX_LEFT, made VX_LEFT;
static bool redundant VX_LEFT, stepped VX_LEFT;
static struct {
	uint32_t asleep_count, skipped_count;
	uint32_t asleep[ASLEEP_MAX], skipped[WIDTH_MAX];
} fork VX_LEFT; /* of the latest choice: it is told once its step is over */

static bool is_at_lock(const char *point)
{
	size_t size = 0;

	while (point[size] && point[size] != ' ')
		size++;
	return (size == 4 && !__builtin_memcmp(point, "lock", 4)) ||
	       (size == 6 && !__builtin_memcmp(point, "unlock", 6));
}

static bool may_sleep(const struct step *one)
{
	return one->cpu != VX_NO_CPU && one->from_lock && one->to_lock;
}

static bool independent(const struct step *one, const struct step *other)
{
	if (one->cpu == other->cpu || !may_sleep(one) || !may_sleep(other))
		return false;
	return one->from != other->from && one->from != other->to && one->to != other->from &&
	       one->to != other->to;
}

static void begins_at(struct step *one, const char *point)
{
	snprintf(one->before, sizeof(one->before), "%s", point);
	one->from_lock = is_at_lock(point);
	one->from = one->from_lock ? vx_touched(point) : 0;
}

static void ends_at(struct step *one, const char *point)
{
	snprintf(one->after, sizeof(one->after), "%s", point);
	one->to_lock = is_at_lock(point);
	one->to = one->to_lock ? vx_touched(point) : 0;
}

/* The step that an option would take, as far as is known beforehand; NULL: that time passes. */
static void step_of(const struct vx_runner *option)
{
	char place[PLACE_BYTES] = "";

	stepped = true;
	step = (struct step){ .cpu = option ? option->cpu : VX_NO_CPU, .who = option };
	if (step.cpu == VX_NO_CPU)
		return;
	step.name = option->name;
	step.stop = option->stop;
	vx_place(option, place, sizeof(place));
	begins_at(&step, place);
}

static const char *kept(const char *words)
{
	size_t size = __builtin_strlen(words) + 1;
	char *copy = text + text_used;

	if (text_used + size > TEXT_MAX) {
		vx_gave_up = true;
		return "";
	}
	vx_copy(copy, words, size);
	text_used += size;
	return copy;
}

static uint32_t sleeper(const struct step *one, const char *context)
{
	if (vx_trunk.sleepers_count == SLEEPERS_MAX) {
		vx_gave_up = true;
		return 0;
	}
	sleepers[vx_trunk.sleepers_count] = (struct vx_sleeper){
		kept(context), kept(one->before), kept(one->after), one->stop, one->cpu,
	};
	return vx_trunk.sleepers_count++;
}

static const char *name_of(const struct vx_runner *runner, char *name, size_t size)
{
	const char *title = vx_context(runner->number)->title;

	snprintf(name, size, runner->nth > 1 ? "%s#%u" : "%s", title, runner->nth);
	return name;
}

static void put(uint32_t number)
{
	if (vx_trunk.forks_count == FORKS_MAX)
		vx_gave_up = true;
	else
		forks[vx_trunk.forks_count++] = number;
}

/* The latest choice is over: say what is asleep for whoever goes another way there. */
static void tell_fork(void)
{
	if (!vx_trunk.widths_count || !fork.asleep_count)
		return;
	put(vx_trunk.widths_count - 1);
	put(fork.asleep_count);
	for (uint32_t i = 0; i < fork.asleep_count; i++)
		put(fork.asleep[i]);
	put(fork.skipped_count);
	for (uint32_t i = 0; i < fork.skipped_count; i++)
		put(fork.skipped[i]);
	fork.asleep_count = fork.skipped_count = 0;
}

/* Whoever branches off at the last choice need not take this step first. */
static void put_to_sleep(void)
{
	char name[PLACE_BYTES];

	if (vx_trunk.widths_count && may_sleep(&step)) {
		step.number = 1 + sleeper(&step, name_of(step.who, name, sizeof(name)));
		if (fork.asleep_count == ASLEEP_MAX)
			vx_gave_up = true;
		else
			fork.asleep[fork.asleep_count++] = step.number - 1;
	}
	tell_fork();
}

static bool is_there(const struct step *one, struct vx_runner *const *options, uint32_t runnable)
{
	for (uint32_t i = 0; i < runnable; i++)
		if (options[i]->sort != VX_ACTION && options[i]->name == one->name)
			return options[i]->stop == one->stop;
	return false;
}

/* The last step is over: what depends on it wakes, and it may sleep where it was taken. */
static void settle(struct vx_runner *const *options, uint32_t runnable)
{
	uint32_t still = 0;

	if (!stepped)
		return;
	for (uint32_t i = 0; i < runnable && step.cpu != VX_NO_CPU; i++) {
		char place[PLACE_BYTES];

		if (options[i] != step.who || step.who->stop == step.stop)
			continue;
		vx_place(step.who, place, sizeof(place));
		ends_at(&step, place);
	}
	put_to_sleep();
	for (uint32_t i = 0; i < asleep_count; i++)
		if (independent(&asleep[i], &step) && is_there(&asleep[i], options, runnable))
			asleep[still++] = asleep[i];
	asleep_count = still;
}

static bool sleeps(const struct vx_runner *option)
{
	for (uint32_t i = 0; i < asleep_count; i++)
		if (option->sort != VX_ACTION && asleep[i].name == option->name &&
		    asleep[i].stop == option->stop)
			return true;
	return false;
}

/* Note what could be chosen, and choose the first that is not asleep. */
static uint32_t branch(struct vx_runner *const *options, uint32_t count, uint32_t all)
{
	uint32_t width = all < WIDTH_MAX ? all : WIDTH_MAX, first = width;

	fork.asleep_count = fork.skipped_count = 0;
	for (uint32_t i = 0; i < width; i++) {
		if (asleep_count && i < count && sleeps(options[i]))
			fork.skipped[fork.skipped_count++] = i;
		else if (first == width)
			first = i;
	}
	if (first == width) {
		redundant = true;
		fork.skipped_count = 0;
		return 0;
	}
	for (uint32_t i = 0; i < asleep_count; i++)
		fork.asleep[fork.asleep_count++] = asleep[i].number - 1;
	step_of(first < count ? options[first] : NULL);
	widths[vx_trunk.widths_count++] = width;
	decisions[vx_trunk.decisions_count++] = first;
	return first;
}

bool vx_orders_reset(const struct vx_orders_plan *plan)
{
	if (plan->decisions_count > DEPTH_MAX || plan->sleepers_count > ASLEEP_MAX)
		return false;
	vx_trunk = (struct vx_trunk){ decisions, widths, forks, sleepers,
				      .decisions_count = plan->decisions_count };
	__builtin_memcpy(decisions, plan->decisions, plan->decisions_count);
	planned = plan->decisions_count;
	made = text_used = fork.asleep_count = fork.skipped_count = 0;
	redundant = stepped = false;
	asleep_count = plan->sleepers_count;
	for (uint32_t i = 0; i < asleep_count; i++) {
		const struct vx_sleeper *given = &plan->sleepers[i];

		asleep[i] = (struct step){ .name = vx_name_of(given->context), .stop = given->stop,
					   .cpu = given->cpu };
		begins_at(&asleep[i], given->before);
		ends_at(&asleep[i], given->after);
		asleep[i].number = 1 + sleeper(&asleep[i], given->context);
	}
	return true;
}

uint32_t vx_pick_order(struct vx_runner *const *options, uint32_t count, bool may_be_late)
{
	uint32_t now = made++, chosen;

	if (now < planned) {
		chosen = decisions[now];
		if (now == planned - 1)
			step_of(chosen < count ? options[chosen] : NULL);
		return chosen;
	}
	if (redundant || now >= DEPTH_MAX)
		return 0;
	settle(options, count);
	return branch(options, count, count + may_be_late);
}

/* The run is over: what there is to tell of its latest choice. */
void vx_orders_end(void)
{
	tell_fork();
}
