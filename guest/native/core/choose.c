/* SPDX-License-Identifier: MIT */
/*
 * The choosers that are played in C, each the same as the one of its name in sim/: fed the same plan
 * and the same options they choose the same. Random numbers are SplitMix64's, as in sim/choices.py.
 */
#include "engine.h"

#define NAMES_MAX 8192
#define CHANGES_MAX 16

static uint64_t state VX_LEFT;
static struct vx_plan plan VX_LEFT;
static uint64_t late_in VX_LEFT, fault_in VX_LEFT;
static uint32_t made VX_LEFT;

static uint64_t below_2_64(unsigned __int128 bound)
{
	uint64_t z = state += 0x9E3779B97F4A7C15ull;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
	z = (z ^ z >> 27) * 0x94D049BB133111EBull;
	return (z ^ z >> 31) * bound >> 64;
}

uint64_t vx_below(uint64_t bound)
{
	return below_2_64(bound);
}

static uint64_t next_u64(void)
{
	return below_2_64((unsigned __int128)1 << 64);
}

/* --- a random walk: sim/explore/random.py --- */

static uint32_t pick_random(struct vx_runner *const *options, uint32_t runnable)
{
	(void)options;
	return vx_below(runnable);
}

/* --- strict priorities, lowered at times: sim/explore/pct.py --- */

static struct {
	unsigned __int128 priority;
	uint32_t run;
} priorities[NAMES_MAX] VX_LEFT; /* by name */
static uint32_t runs VX_LEFT;
static struct change {
	uint64_t at, priority;
} changes[CHANGES_MAX] VX_LEFT; /* the next one last */
static uint32_t changes_left VX_LEFT;

static bool sooner(struct change one, struct change other)
{
	return one.at != other.at ? one.at < other.at : one.priority < other.priority;
}

static void reset_pct(void)
{
	changes_left = 0;
	for (uint32_t i = 1; i < plan.depth && i < CHANGES_MAX; i++) {
		struct change change = { vx_below(plan.choices), i };
		uint32_t at = changes_left++;

		for (; at && sooner(changes[at - 1], change); at--)
			changes[at] = changes[at - 1];
		changes[at] = change;
	}
}

static uint32_t highest(struct vx_runner *const *options, uint32_t runnable)
{
	unsigned __int128 best_priority = 0;
	uint32_t best = 0;

	for (uint32_t i = 0; i < runnable; i++) {
		uint32_t name = options[i]->name;

		if (priorities[name].run != runs) {
			priorities[name].run = runs;
			priorities[name].priority = (unsigned __int128)plan.depth + next_u64();
		}
		if (!i || priorities[name].priority > best_priority) {
			best_priority = priorities[name].priority;
			best = i;
		}
	}
	return best;
}

static uint32_t pick_pct(struct vx_runner *const *options, uint32_t runnable)
{
	uint32_t best = highest(options, runnable);

	while (changes_left && changes[changes_left - 1].at == made) {
		priorities[options[best]->name].priority = changes[--changes_left].priority;
		best = highest(options, runnable);
	}
	made++;
	return best;
}

/* --- partial orders: sim/explore/pos.py --- */

#define PLACE_BYTES 256
#define NOBODY_CAN_TELL 0
#define NOTHING_SHARED 1

static struct {
	uint64_t priority;
	uint32_t run, stop;
	uint64_t touched;
} events[VX_RUNNERS_MAX] VX_LEFT; /* by place in vx_runners */

static bool is_one_of(const char *const *words, const char *word, size_t size)
{
	for (; *words; words++)
		if (__builtin_strlen(*words) == size && !__builtin_memcmp(*words, word, size))
			return true;
	return false;
}

uint64_t vx_thing(const char *name)
{
	return vx_digest(name, __builtin_strlen(name)) | 2;
}

/* sim.explore.points.touched, as a digest. */
uint64_t vx_touched(const char *point)
{
	static const char *const names_object[] = { "lock", "unlock", "complete", "queue_work",
						    "flush_workqueue", "tasklet_disable",
						    "tasklet_enable", NULL };
	static const char *const private[] = { "start", "kfree", "kfree_rcu", "kzalloc",
					       "local_irq_restore", "join", NULL };
	size_t size = __builtin_strlen(point), kind = 0;

	if (!size)
		return NOBODY_CAN_TELL;
	while (kind < size && point[kind] != ' ')
		kind++;
	if (is_one_of(private, point, kind))
		return NOTHING_SHARED;
	if (!is_one_of(names_object, point, kind))
		return vx_thing(point);
	kind += kind < size;
	return kind == size ? NOTHING_SHARED : vx_thing(point + kind);
}

uint64_t vx_touches(const struct vx_runner *runner)
{
	char place[PLACE_BYTES];

	vx_place(runner, place, sizeof(place));
	return vx_touched(place);
}

static void lose_priorities(struct vx_runner *const *options, uint32_t runnable, uint32_t best)
{
	uint64_t thing = vx_touches(options[best]);

	for (uint32_t i = 0; i < runnable; i++) {
		uint64_t other = i == best ? thing : vx_touches(options[i]);

		if (i == best || thing == NOBODY_CAN_TELL || other == NOBODY_CAN_TELL ||
		    (thing != NOTHING_SHARED && thing == other))
			events[options[i] - vx_runners].run = 0;
	}
}

static uint32_t pick_pos(struct vx_runner *const *options, uint32_t runnable)
{
	uint64_t highest_so_far = 0;
	uint32_t best = 0;

	for (uint32_t i = 0; i < runnable; i++) {
		uint32_t place = options[i] - vx_runners;

		if (events[place].run != runs) {
			events[place].run = runs;
			events[place].priority = next_u64();
		}
		if (!i || events[place].priority > highest_so_far) {
			highest_so_far = events[place].priority;
			best = i;
		}
	}
	lose_priorities(options, runnable, best);
	return best;
}

/* --- starvation: sim/explore/starve.py --- */

#define VICTIM_ONE_IN 3

static bool starving VX_LEFT;
static uint64_t until_change VX_LEFT;
static uint32_t window VX_LEFT; /* counts them over all runs */
static struct {
	uint32_t window;
	bool victim;
} victims[NAMES_MAX] VX_LEFT; /* by name */

static void change(void)
{
	starving = !starving;
	if (starving) {
		until_change = 1ull << vx_below(64 - __builtin_clzll(plan.choices));
		window++;
	} else {
		until_change = 1 + vx_below(plan.choices);
	}
}

static bool is_victim(uint32_t name)
{
	if (victims[name].window != window) {
		victims[name].window = window;
		victims[name].victim = vx_below(VICTIM_ONE_IN) == 0;
	}
	return victims[name].victim;
}

static uint32_t pick_fed(struct vx_runner *const *options, uint32_t count, bool may_be_late)
{
	if (!until_change)
		change();
	until_change--;
	if (!starving)
		return 0;
	for (uint32_t i = 0; i < count; i++)
		if (!is_victim(options[i]->name))
			return i;
	return may_be_late ? count : 0;
}

/* --- what the drawing ones have in common: sim/explore/sampling.py --- */

enum kind { DECISIONS, RANDOM, PCT, POS, STARVE, DELAYS, SURW, ORDERS };

static void reset_walker(void)
{
	state = plan.seed;
	late_in = vx_below(plan.late_window);
	fault_in = vx_below(plan.fault_window);
}

static uint32_t walk(struct vx_runner *const *options, uint32_t runnable, bool may_be_late)
{
	if (may_be_late && late_in-- == 0) {
		late_in = vx_below(plan.late_window);
		return runnable;
	}
	if (runnable < 2)
		return 0;
	switch (plan.kind) {
	case PCT:
		return pick_pct(options, runnable);
	case POS:
		return pick_pos(options, runnable);
	case SURW:
		return vx_pick_surw(options, runnable);
	default:
		return pick_random(options, runnable);
	}
}

static uint32_t strike(void)
{
	if (fault_in--)
		return 0;
	fault_in = vx_below(plan.fault_window);
	return 1;
}

static uint32_t next_decision(void)
{
	return made < plan.decisions_count ? plan.decisions[made++] : 0;
}

void vx_chooser_reset(const struct vx_plan *next)
{
	plan = *next;
	made = 0;
	runs++;
	if (plan.kind == DELAYS && !vx_delays_reset(&plan))
		vx_gave_up = true;
	if (plan.kind == ORDERS && !vx_orders_reset(plan.orders))
		vx_gave_up = true;
	if (plan.kind == DECISIONS || plan.kind == DELAYS || plan.kind == ORDERS)
		return;
	reset_walker();
	if (plan.kind == PCT)
		reset_pct();
	if (plan.kind == SURW)
		vx_surw_reset(plan.surw);
	if (plan.kind == STARVE) {
		starving = false;
		until_change = vx_below(plan.choices);
		window++;
	}
}

uint32_t vx_choose(struct vx_runner *const *options, uint32_t count, bool may_be_late)
{
	switch (plan.kind) {
	case DECISIONS:
		return next_decision();
	case DELAYS:
		return vx_pick_around(options, count, may_be_late);
	case ORDERS:
		return vx_pick_order(options, count, may_be_late);
	case STARVE:
		return pick_fed(options, count, may_be_late);
	default:
		return walk(options, count, may_be_late);
	}
}

/* Two options that are nobody's steps: that nothing goes wrong, and that this does. */
static uint32_t order_of_faults(void)
{
	static struct vx_runner nothing = { .sort = VX_ACTION, .cpu = VX_NO_CPU };
	static struct vx_runner fault = { .sort = VX_ACTION, .cpu = VX_NO_CPU };
	struct vx_runner *const options[] = { &nothing, &fault };

	return vx_pick_order(options, 2, false);
}

uint32_t vx_choose_fault(const char *name, const char *at)
{
	switch (plan.kind) {
	case DECISIONS:
		return next_decision();
	case DELAYS:
		return vx_strike(name, at);
	case ORDERS:
		return order_of_faults();
	default:
		return strike();
	}
}
