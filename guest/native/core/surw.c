/* SPDX-License-Identifier: MIT */
/*
 * Selectively uniform random walks: the same as SurwChooser in sim/explore/surw.py, which says what
 * they are. Fed the same options it draws and chooses the same.
 */
#include "engine.h"

#define NAMES_MAX 8192
#define NOBODY 0xffffffff
#define EVERYTHING 0

static struct {
	uint32_t run, seen_in;
	uint32_t parent; /* a name, or NOBODY */
	uint64_t left; /* interesting events */
} names[NAMES_MAX] VX_LEFT;
static uint32_t run VX_LEFT, intended VX_LEFT;
static uint64_t thing VX_LEFT;
static uint64_t blocked[VX_RUNNERS_MAX] VX_LEFT, turn VX_LEFT; /* who waits, in this turn */
static uint32_t free_ones[VX_RUNNERS_MAX] VX_LEFT, free_count VX_LEFT;

static void know(uint32_t name)
{
	if (names[name].run == run)
		return;
	names[name].run = run;
	names[name].parent = NOBODY;
	names[name].left = 0;
}

void vx_surw_reset(const struct vx_surw_plan *plan)
{
	run++;
	turn++;
	intended = NOBODY;
	thing = *plan->thing ? vx_thing(plan->thing) : EVERYTHING;
	for (uint32_t i = 0; i < plan->weights_count; i++) {
		uint32_t name = vx_name_of(plan->weights[i].name);

		know(name);
		names[name].left = plan->weights[i].count;
	}
	for (uint32_t i = 0; i < plan->parents_count; i++) {
		uint32_t name = vx_name_of(plan->parents[i].name);

		know(name);
		names[name].parent = vx_name_of(plan->parents[i].parent);
		know(names[name].parent);
	}
}

/* A new context takes its events from whoever started it, and maybe the intention too. */
static void welcome(uint32_t name)
{
	uint32_t parent;
	uint64_t own, shared;

	know(name);
	if (names[name].seen_in == run)
		return;
	names[name].seen_in = run;
	parent = names[name].parent;
	if (parent == NOBODY)
		return;
	own = names[name].left;
	shared = names[parent].left;
	if (intended == parent && vx_below(shared ? shared : 1) < own)
		intended = name;
	names[parent].left = shared > own ? shared - own : 0;
}

static uint64_t weight(const struct vx_runner *runner)
{
	return names[runner->name].left ?: 1;
}

/* Draw who does the next interesting event. */
static void intend(struct vx_runner *const *options)
{
	uint64_t sum = 0, drawn;
	uint32_t at = 0;

	for (uint32_t i = 0; i < free_count; i++)
		sum += weight(options[free_ones[i]]);
	for (drawn = vx_below(sum); drawn >= weight(options[free_ones[at]]); at++)
		drawn -= weight(options[free_ones[at]]);
	intended = options[free_ones[at]]->name;
}

/* Somebody does an interesting event: those who waited may be next. */
static uint32_t unblock(uint32_t index)
{
	turn++;
	intended = NOBODY;
	return index;
}

static void block(struct vx_runner *const *options, uint32_t place)
{
	blocked[options[free_ones[place]] - vx_runners] = turn;
	for (free_count--; place < free_count; place++)
		free_ones[place] = free_ones[place + 1];
}

uint32_t vx_pick_surw(struct vx_runner *const *options, uint32_t runnable)
{
	free_count = 0;
	for (uint32_t i = 0; i < runnable; i++)
		welcome(options[i]->name);
	for (uint32_t i = 0; i < runnable; i++)
		if (blocked[options[i] - vx_runners] != turn)
			free_ones[free_count++] = i;
	while (free_count) {
		uint32_t place = vx_below(free_count), index = free_ones[place];
		uint32_t name = options[index]->name;

		if (thing != EVERYTHING && vx_touches(options[index]) != thing)
			return index;
		if (intended == NOBODY)
			intend(options);
		if (name == intended) {
			names[name].left -= names[name].left > 0;
			return unblock(index);
		}
		block(options, place);
	}
	return unblock(vx_below(runnable));
}
