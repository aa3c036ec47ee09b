/* SPDX-License-Identifier: MIT */
/*
 * Natural order but for some named delays and faults: the same as DelayChooser in
 * sim/explore/delaying.py, which says what a delay is. Fed the same options it chooses the same.
 */
#include "engine.h"

#define HOLDS_MAX 8
#define STOPS_MAX 1024
#define PLACE_BYTES 256
#define LATENESSES 1000
#define STRIKES_MAX 8
#define OFFERS_MAX 256

struct stop {
	uint32_t name, occurrence;
	uint64_t point;
};

static struct hold {
	struct stop stop, until;
	uint32_t kind, number, begun, lasted, latenesses_left;
	bool pending;
	const struct vx_runner *held; /* whom it holds now */
} holds[HOLDS_MAX] VX_LEFT;
static uint32_t holds_count VX_LEFT, choices VX_LEFT;

static struct {
	uint32_t name, count;
	uint64_t point;
	const struct vx_runner *latest;
} stops[STOPS_MAX] VX_LEFT; /* of watched names, as often as they have been seen */
static uint32_t stops_count VX_LEFT;

static struct {
	uint32_t run, stop;
} last[VX_RUNNERS_MAX] VX_LEFT; /* stop at which it was seen last, by place in vx_runners */
static uint32_t run VX_LEFT;

static struct strike {
	uint64_t fault, at; /* digests */
	uint32_t count; /* of the plan: for the how-manieth time; else how often it was offered */
	bool pending;
} strikes[STRIKES_MAX] VX_LEFT, offers[OFFERS_MAX] VX_LEFT;
static uint32_t strikes_count VX_LEFT, strikes_left VX_LEFT, offers_count VX_LEFT;

static uint64_t digest_of(const char *text)
{
	return vx_digest(text, __builtin_strlen(text));
}

static struct stop stop_of(const struct vx_stop_plan *plan)
{
	return (struct stop){ vx_name_of(plan->name), plan->occurrence,
			      digest_of(plan->point) };
}

static bool equal(struct stop one, struct stop other)
{
	return one.name == other.name && one.point == other.point && one.occurrence == other.occurrence;
}

static bool reset_strikes(const struct vx_stop_plan *faults, uint32_t count)
{
	strikes_count = strikes_left = count;
	offers_count = 0;
	if (count > STRIKES_MAX)
		return false;
	for (uint32_t i = 0; i < count; i++)
		strikes[i] = (struct strike){ digest_of(faults[i].name), digest_of(faults[i].point),
					      faults[i].occurrence, true };
	return true;
}

/* How often this fault of this thing has been offered by now. */
static uint32_t offered(uint64_t fault, uint64_t at)
{
	uint32_t i = 0;

	while (i < offers_count && (offers[i].fault != fault || offers[i].at != at))
		i++;
	if (i == OFFERS_MAX) {
		vx_gave_up = true;
		return 0;
	}
	if (i == offers_count)
		offers[offers_count++] = (struct strike){ fault, at, 0, false };
	return ++offers[i].count;
}

/* A fault is offered: 1 if it is to happen now. */
uint32_t vx_strike(const char *name, const char *what)
{
	uint64_t fault, at;
	uint32_t count;

	if (!strikes_left)
		return 0;
	fault = digest_of(name);
	at = digest_of(what);
	count = offered(fault, at);
	for (uint32_t i = 0; i < strikes_count; i++) {
		struct strike *one = &strikes[i];

		if (!one->pending || one->fault != fault || one->at != at || one->count != count)
			continue;
		one->pending = false;
		strikes_left--;
		return 1;
	}
	return 0;
}

bool vx_delays_reset(const struct vx_plan *plan)
{
	const struct vx_delay_plan *delays = plan->delays;
	uint32_t count = plan->delays_count;

	holds_count = choices = stops_count = 0;
	run++;
	if (!reset_strikes(plan->faults, plan->faults_count) || count > HOLDS_MAX)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		struct hold *hold = &holds[i];

		*hold = (struct hold){ .stop = stop_of(&delays[i].stop), .kind = delays[i].kind,
				       .number = delays[i].number, .pending = true };
		if (hold->kind == VX_UNTIL_ENDED || hold->kind == VX_UNTIL_REACHED)
			hold->until = stop_of(&delays[i].until);
		if (hold->kind == VX_UNTIL_ENDED || hold->kind == VX_UNTIL_REACHED)
			hold->latenesses_left = LATENESSES;
		if (hold->kind == VX_UNTIL_LATE)
			hold->latenesses_left = hold->number;
		for (uint32_t before = 0; before < i; before++) /* of two at one stop the later counts */
			holds[before].pending &= !equal(holds[before].stop, hold->stop);
		holds_count++;
	}
	return true;
}

uint32_t vx_delay_lasted(void)
{
	return holds_count ? holds[0].lasted : 0;
}

static bool is_watched(uint32_t name)
{
	for (uint32_t i = 0; i < holds_count; i++)
		if (holds[i].stop.name == name ||
		    (holds[i].kind >= VX_UNTIL_ENDED && holds[i].until.name == name))
			return true;
	return false;
}

/* Which occurrence this stop is, if it is shown for the first time; else 0. */
static uint32_t arrival(const struct vx_runner *runner, uint64_t *point)
{
	uint32_t place = runner - vx_runners, at = 0;
	char text[PLACE_BYTES];

	if (last[place].run == run && last[place].stop == runner->stop)
		return 0;
	last[place].run = run;
	last[place].stop = runner->stop;
	vx_place(runner, text, sizeof(text));
	*point = digest_of(text);
	while (at < stops_count && (stops[at].name != runner->name || stops[at].point != *point))
		at++;
	if (at == STOPS_MAX) {
		vx_gave_up = true;
		return 0;
	}
	if (at == stops_count) {
		stops_count++;
		stops[at].name = runner->name;
		stops[at].point = *point;
		stops[at].count = 0;
	}
	stops[at].latest = runner;
	return ++stops[at].count;
}

static void look_at(const struct vx_runner *runner)
{
	uint64_t point;
	struct stop here = { runner->name, arrival(runner, &point), 0 };

	if (!here.occurrence)
		return;
	here.point = point;
	for (uint32_t i = 0; i < stops_count; i++)
		if (stops[i].name == runner->name)
			stops[i].latest = runner;
	for (uint32_t i = 0; i < holds_count; i++)
		if (holds[i].held == runner)
			holds[i].held = NULL; /* it went on as the only one who could */
	for (uint32_t i = 0; i < holds_count; i++) {
		if (!holds[i].pending || !equal(holds[i].stop, here))
			continue;
		holds[i].pending = false;
		holds[i].begun = choices;
		holds[i].held = runner;
	}
}

static bool reached(struct stop stop)
{
	for (uint32_t i = 0; i < stops_count; i++)
		if (stops[i].name == stop.name && stops[i].point == stop.point)
			return stops[i].count >= stop.occurrence;
	return false;
}

static bool ended(uint32_t name)
{
	for (uint32_t i = 0; i < stops_count; i++)
		if (stops[i].name == name)
			return stops[i].latest->done;
	return false;
}

/* Whether what the hold waits for has come. */
static bool met(const struct hold *hold)
{
	switch (hold->kind) {
	case VX_UNTIL_STEPS:
		return hold->lasted >= hold->number;
	case VX_UNTIL_ENDED:
		return ended(hold->until.name);
	case VX_UNTIL_REACHED:
		return reached(hold->until);
	default:
		return false;
	}
}

static struct hold *hold_of(const struct vx_runner *runner)
{
	for (uint32_t i = 0; i < holds_count; i++)
		if (holds[i].held == runner)
			return &holds[i];
	return NULL;
}

/* The choice is for somebody who is not held. */
static void pass_over(void)
{
	for (uint32_t i = 0; i < holds_count; i++)
		holds[i].lasted += holds[i].held != NULL;
}

/* All who can go on are held: time passes if one of them is late, or the oldest goes. */
static uint32_t nobody_else(struct vx_runner *const *options, uint32_t count, bool may_be_late)
{
	uint32_t oldest = 0;

	for (uint32_t i = 0; may_be_late && i < count; i++) {
		struct hold *hold = hold_of(options[i]);

		if (!hold->latenesses_left)
			continue;
		hold->latenesses_left--;
		pass_over();
		return count;
	}
	for (uint32_t i = 1; i < count; i++)
		if (hold_of(options[i])->begun < hold_of(options[oldest])->begun)
			oldest = i;
	hold_of(options[oldest])->held = NULL;
	return oldest;
}

/* The first option that is not held, or a held one whose time has come. */
static uint32_t around(struct vx_runner *const *options, uint32_t count, bool may_be_late)
{
	uint32_t first = count;

	for (uint32_t i = 0; i < count; i++) {
		struct hold *hold = hold_of(options[i]);

		if (!hold) {
			if (first == count)
				first = i;
		} else if (met(hold)) {
			hold->held = NULL;
			return i;
		}
	}
	if (first == count)
		return nobody_else(options, count, may_be_late);
	pass_over();
	return first;
}

uint32_t vx_pick_around(struct vx_runner *const *options, uint32_t count, bool may_be_late)
{
	bool pending = false, held = false;

	for (uint32_t i = 0; i < holds_count; i++) {
		pending |= holds[i].pending;
		held |= holds[i].held != NULL;
	}
	if (!pending && !held)
		return 0;
	choices++;
	for (uint32_t i = 0; i < count; i++)
		if (is_watched(options[i]->name))
			look_at(options[i]);
	for (uint32_t i = 0; i < holds_count; i++)
		if (holds[i].held)
			return around(options, count, may_be_late);
	return 0;
}
