/* SPDX-License-Identifier: MIT */
/* Does what the world outside of the guest is remembered to do: see enum vx_does. */
#include "engine.h"

#define SHELLS_MAX 256
#define ACTS_MAX 4096

/* Of the shim, which has the kernel's pages. */
void vx_deliver_message(unsigned int cpu, const void *message, unsigned int size,
			unsigned int online);
void vx_deliver_event(unsigned int cpu, unsigned int flag, unsigned int online);
void vx_device_interrupt(unsigned int cpu, unsigned int vector);
void vx_shell(const char *title, uint32_t cpu, uint32_t verb, const void *instance, uint32_t devfn,
	      uint64_t a, uint64_t b, const void *text, uint32_t size);

static struct vx_runner *shells[SHELLS_MAX] VX_LEFT; /* of the guest, but started from outside */
static uint32_t shells_count VX_LEFT;
static struct vx_runner *acts[ACTS_MAX] VX_LEFT; /* to come, as they were announced */
static uint32_t acts_count VX_LEFT;

struct vx_rest vx_rest VX_LEFT;

void vx_effects_reset(void)
{
	shells_count = acts_count = 0;
}

struct reader {
	const uint8_t *at;
};

static uint64_t take(struct reader *reader, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)reader->at[i] << 8 * i;
	reader->at += size;
	return value;
}

static const uint8_t *take_bytes(struct reader *reader, size_t size)
{
	const uint8_t *bytes = reader->at;

	reader->at += size;
	return bytes;
}

static void start(struct reader *reader)
{
	unsigned kind = take(reader, 1), cpu = take(reader, 2), size = take(reader, 2);
	struct vx_runner *runner = vx_add_runner(VX_OUTSIDE, kind, cpu,
						 (const char *)take_bytes(reader, size), size);

	if (runner)
		vx_make_ready(runner);
}

static void later(struct reader *reader)
{
	uint64_t earliest_ns = take(reader, 8), latest_ns = take(reader, 8);
	unsigned size = take(reader, 2);
	struct vx_runner *act = vx_add_runner(VX_ACTION, 0, VX_NO_CPU,
					      (const char *)take_bytes(reader, size), size);

	if (!act || acts_count == ACTS_MAX) {
		vx_gave_up = true;
		return;
	}
	acts[acts_count++] = act;
	act->verb = "";
	act->latest_ns = vx_now_ns + latest_ns;
	vx_arm(act, vx_now_ns + earliest_ns);
}

static void comes_no_more(uint32_t place)
{
	for (acts_count--; place < acts_count; place++)
		acts[place] = acts[place + 1];
}

uint32_t vx_act_begins(const struct vx_runner *act)
{
	uint32_t place = 0;

	while (acts[place] != act)
		place++;
	comes_no_more(place);
	return place;
}

static void call_off(uint32_t place)
{
	struct vx_runner *act = acts[place];

	comes_no_more(place);
	vx_disarm(act);
	vx_unready(act);
	vx_clock_changed();
}

static bool shell(struct reader *reader)
{
	struct vx_shell_call call;
	char title[96] = "";
	const uint8_t *text;

	__builtin_memcpy(&call, take_bytes(reader, sizeof(call)), sizeof(call));
	vx_copy(title, take_bytes(reader, call.title_size), call.title_size);
	text = take_bytes(reader, call.text_size);
	if (shells_count == SHELLS_MAX)
		return false;
	vx_shell(title, call.cpu, call.verb, call.instance, call.devfn, call.a, call.b, text,
		 call.text_size);
	if (!vx_drain_notes())
		return false;
	shells[shells_count++] = &vx_runners[vx_runners_count - 1];
	return true;
}

bool vx_is_shell(const struct vx_runner *runner)
{
	for (uint32_t i = 0; i < shells_count; i++)
		if (shells[i] == runner)
			return true;
	return false;
}

static void join(struct reader *reader)
{
	unsigned of_guest = take(reader, 1);
	uint32_t number = take(reader, 4);
	struct vx_runner *target = of_guest ? shells[number] : vx_runner_of(VX_OUTSIDE, number);

	target->joiner = vx_runner_of(VX_OUTSIDE, take(reader, 4));
}

static bool deliver(enum vx_does does, struct reader *reader)
{
	unsigned cpu = take(reader, 2), size, vector;

	if (does == VX_DOES_EVENT) {
		vx_deliver_event(cpu, take(reader, 4), vx_cpu_is_online(cpu));
	} else if (does == VX_DOES_VECTOR) {
		vector = take(reader, 4);
		if (vx_cpu_is_online(cpu))
			vx_device_interrupt(cpu, vector);
	} else {
		size = take(reader, 2);
		vx_deliver_message(cpu, take_bytes(reader, size), size, vx_cpu_is_online(cpu));
	}
	return vx_drain_notes();
}

static void write_to_guest(struct reader *reader)
{
	void *to = (void *)take(reader, 8);
	unsigned size = take(reader, 2);

	vx_copy(to, take_bytes(reader, size), size);
}

static void output(struct reader *reader, const struct vx_trap *trap)
{
	unsigned size = take(reader, 2);

	vx_copy((void *)trap->c, take_bytes(reader, size), size);
}

static void stop(struct reader *reader, struct vx_runner *runner)
{
	unsigned kind = take(reader, 1), size = take(reader, 2);

	runner->verb = (const char *)take_bytes(reader, size + 1); /* with its zero */
	runner->about = NULL;
	runner->thing = 0;
	if (kind == VX_ENDED)
		runner->done = true;
	if (kind != VX_AT_POINT)
		runner->ready = false;
}

static void ask(struct reader *reader)
{
	unsigned fault_size = take(reader, 2), at_size = take(reader, 2);

	vx_rest.waits_for = VX_CHOICE;
	vx_rest.fault = (const char *)take_bytes(reader, fault_size + 1); /* with its zero */
	vx_rest.at = (const char *)take_bytes(reader, at_size + 1);
}

static bool apply_one(enum vx_does does, struct reader *reader, struct vx_runner *resumed,
		      struct vx_trap *trap)
{
	struct vx_runner *other;

	switch (does) {
	case VX_DOES_ANSWER:
		trap->answer = take(reader, 8);
		trap->held_ns = take(reader, 8);
		return true;
	case VX_DOES_OUTPUT:
		output(reader, trap);
		return true;
	case VX_DOES_MESSAGE:
	case VX_DOES_EVENT:
	case VX_DOES_VECTOR:
		return deliver(does, reader);
	case VX_DOES_START:
		start(reader);
		return true;
	case VX_DOES_WAKE:
		vx_wake_runner(vx_runner_of(VX_OUTSIDE, take(reader, 4)));
		return true;
	case VX_DOES_WAKE_AT:
		other = vx_runner_of(VX_OUTSIDE, take(reader, 4));
		vx_arm(other, vx_now_ns + take(reader, 8));
		return true;
	case VX_DOES_LATER:
		later(reader);
		return true;
	case VX_DOES_CALL_OFF:
		call_off(take(reader, 4));
		return true;
	case VX_DOES_SHELL:
		return shell(reader);
	case VX_DOES_JOIN:
		join(reader);
		return true;
	case VX_DOES_WINDOW: {
		uint64_t address = take(reader, 8);

		vx_watch_window(address, take(reader, 4));
		return true;
	}
	case VX_DOES_WRITE:
		write_to_guest(reader);
		return true;
	case VX_DOES_PROGRESS:
		vx_progress_step = vx_steps;
		return true;
	case VX_DOES_LOOK:
		break;
	case VX_DOES_STOP:
		stop(reader, resumed);
		return true;
	case VX_DOES_CHOOSE:
		ask(reader);
		return true;
	case VX_DOES_TELL_TIME:
		vx_rest.waits_for = VX_TIME;
		return true;
	}
	return false;
}

/* All that an input does; false if the run cannot go on in C. */
bool vx_apply(struct vx_effects effects, struct vx_runner *resumed, struct vx_trap *trap)
{
	struct reader reader = { effects.bytes };

	vx_rest.waits_for = VX_NOTHING_MORE;
	while (reader.at < effects.bytes + effects.size)
		if (!apply_one(take(&reader, 1), &reader, resumed, trap))
			return false;
	return !vx_gave_up;
}
