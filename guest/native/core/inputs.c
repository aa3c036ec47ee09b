/* SPDX-License-Identifier: MIT */
/*
 * What comes in to the world outside of the guest, as bytes by which it is known again: who asks or
 * tells what, when, and what the host can see of the rings then. Used by both, the engine in C and
 * Python when it plays a schedule to have it remembered, so that they agree on every byte.
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "engine.h"

#define KEY_MAX 65536
#define WINDOWS_MAX 16
#define WINDOW_BYTES_MAX (256u << 10)
#define RING_HEADER_BYTES 4096u /* struct hv_ring_buffer: indices in front, data behind a page */
#define FEATURES_AT 64
#define RUN_MIN 8 /* equal bytes that are worth another write */
#define WRITE_MAX 4096 /* bytes of one write */

static uint8_t key[KEY_MAX] VX_LEFT, key_in_front[KEY_MAX] VX_LEFT;
static uint32_t key_size VX_LEFT, size_in_front VX_LEFT; /* of an input that looks at rings later */
uint64_t vx_times VX_LEFT;

static struct window {
	uint64_t address;
	uint32_t size;
	uint8_t *before;
} windows[WINDOWS_MAX] VX_LEFT;
static uint32_t windows_count VX_LEFT;

void vx_inputs_reset(void)
{
	windows_count = 0;
	vx_times = 0;
}

void vx_key_bytes(const void *from, uint32_t size)
{
	if (key_size + size > KEY_MAX) {
		vx_gave_up = true;
		return;
	}
	__builtin_memcpy(key + key_size, from, size);
	key_size += size;
}

void vx_key_begin(enum vx_input_kind kind, uint32_t number, uint64_t now_ns,
		  const struct vx_runner *who)
{
	struct {
		uint64_t title;
		uint32_t kind, number, nth;
		uint16_t cpu, whose_kind;
	} head = { 0, kind, number, 0, 0, 0 };

	if (who) {
		head.title = who->title;
		head.nth = who->nth;
		head.cpu = who->cpu;
		head.whose_kind = who->kind;
	}
	key_size = size_in_front = 0;
	vx_key_bytes(&head, sizeof(head));
	vx_times = (vx_times ^ now_ns) * 0x9E3779B97F4A7C15ull;
	vx_times ^= vx_times >> 32;
}

#define CALLS_MAX 16
#define NOWHERE 0xffffffff

/* How long a hypercall's input is: the fixed part, what the control word counts, and a length in it. */
static struct call {
	uint32_t code, fixed, size_at;
} calls[CALLS_MAX] VX_LEFT;
static uint32_t calls_count VX_LEFT;

VX_EXPORT void vx_hypercall_takes(uint32_t code, uint32_t fixed, uint32_t size_at)
{
	for (uint32_t i = 0; i < calls_count; i++)
		if (calls[i].code == code)
			return;
	if (calls_count < CALLS_MAX)
		calls[calls_count++] = (struct call){ code, fixed, size_at };
}

static bool key_hypercall(uint64_t control, uint64_t input)
{
	uint32_t size = 8 * (control >> 17 & 0x3ff), more = 0, at = 0;

	vx_key_bytes(&control, sizeof(control));
	if (control & 1 << 16) { /* HV_HYPERCALL_FAST_BIT */
		vx_key_bytes(&input, sizeof(input));
		return true;
	}
	while (at < calls_count && calls[at].code != (control & 0xffff))
		at++;
	if (at == calls_count)
		return false;
	if (calls[at].size_at != NOWHERE)
		__builtin_memcpy(&more, (const char *)input + calls[at].size_at, sizeof(more));
	if (more > 4096)
		return false;
	vx_key_bytes((const void *)input, calls[at].fixed + size + more);
	return true;
}

/* A question of the guest; false for one that this does not know how to look at. */
bool vx_key_ask(const struct vx_trap *trap)
{
	uint64_t asked[] = { trap->request, trap->size, trap->a, trap->b };
	const char *name;

	switch (trap->request) {
	case VX_HYPERCALL:
		return key_hypercall(trap->a, trap->b);
	case VX_MMIO_READ:
	case VX_MMIO_WRITE:
		vx_key_bytes(asked, sizeof(asked));
		return true;
	case VX_ALLOCATION_FAILS:
		name = (const char *)trap->a;
		vx_key_bytes(asked, sizeof(asked[0]));
		vx_key_bytes(name, __builtin_strlen(name));
		return true;
	case VX_POWER_OFF:
		vx_key_bytes(asked, sizeof(asked[0]));
		return true;
	case VX_RING_IS_FULL:
		vx_key_bytes(asked, sizeof(asked[0]));
		vx_key_bytes((const void *)trap->a, trap->b);
		return true;
	}
	return false;
}

/* What the guest tells; false for what only Python can look at. */
bool vx_key_note(const struct vx_note *note)
{
	uint64_t numbers[] = { note->kind, note->a, note->b, note->c, note->d };

	vx_key_bytes(numbers, sizeof(numbers));
	switch (note->kind) {
	case VX_PUBLISHED:
		vx_key_bytes(note->text, note->d);
		return true;
	case VX_HAPPENED:
		vx_key_bytes(note->numbers, sizeof(note->numbers));
		vx_key_bytes(note->words, __builtin_strlen(note->words));
		return true;
	case VX_POWERED_ON:
	case VX_CPU_DEAD:
	case VX_CPU_TAKEN_OVER:
	case VX_CPU_STARTS:
		return true;
	}
	return false;
}

/* The end of a run: what lives in memory decides the verdict, too. */
void vx_key_end(void)
{
	uint64_t memory = vx_arena_digest();

	vx_key_bytes(&memory, sizeof(memory));
}

/* --- the rings, as the host can see them --- */

void vx_watch_window(uint64_t address, uint32_t size)
{
	struct window *window = &windows[windows_count];

	if (windows_count == WINDOWS_MAX || size > WINDOW_BYTES_MAX || size <= RING_HEADER_BYTES) {
		vx_gave_up = true;
		return;
	}
	if (!window->before)
		window->before = mmap(NULL, WINDOW_BYTES_MAX, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (window->before == MAP_FAILED) {
		window->before = NULL;
		vx_gave_up = true;
		return;
	}
	window->address = address;
	window->size = size;
	windows_count++;
}

static void key_window(const struct window *window)
{
	const uint8_t *ring = (const uint8_t *)window->address;
	uint32_t head[5], data = window->size - RING_HEADER_BYTES, from, to;

	__builtin_memcpy(head, ring, 16); /* write_index, read_index, interrupt_mask, pending_send_sz */
	__builtin_memcpy(&head[4], ring + FEATURES_AT, 4);
	vx_key_bytes(head, sizeof(head));
	from = head[1];
	to = head[0];
	if (from >= data || to >= data)
		return;
	ring += RING_HEADER_BYTES;
	if (from > to) {
		vx_key_bytes(ring + from, data - from);
		from = 0;
	}
	vx_key_bytes(ring + from, to - from);
}

void vx_key_windows(void)
{
	for (uint32_t i = 0; i < windows_count; i++)
		key_window(&windows[i]);
}

bool vx_key_known(struct vx_effects *effects)
{
	if (!vx_step_known(key, key_size, effects))
		return false;
	if (effects->size != 1 || effects->bytes[0] != VX_DOES_LOOK)
		return true;
	key_size = 0;
	vx_key_windows();
	return vx_step_known(key, key_size, effects);
}

/* --- for Python, which plays what is not known yet --- */

static uint8_t effects[1 << 20] VX_LEFT;
static uint32_t effects_size VX_LEFT;
static bool may_write VX_LEFT; /* the input may touch the rings: no answer to the guest does */

static void keep_window(const struct window *window)
{
	vx_copy(window->before, (const void *)window->address, window->size);
}

VX_EXPORT void vx_input_window(uint64_t address, uint32_t size)
{
	vx_watch_window(address, size);
	if (!vx_gave_up)
		keep_window(&windows[windows_count - 1]);
}

/* Begin an input: whose it is goes by name. `kind` and `number` as in struct vx_runner. */
VX_EXPORT void vx_input(uint32_t kind, uint32_t number, uint64_t now_ns, const char *title,
			uint32_t title_size, uint32_t nth, uint32_t whose_kind, uint32_t cpu)
{
	struct vx_runner who = { .kind = whose_kind, .cpu = cpu, .nth = nth };

	who.title = vx_digest(title, title_size) | 1;
	vx_key_begin(kind, number, now_ns, title ? &who : NULL);
	effects_size = 0;
	may_write = kind == VX_IN_RESUME || kind == VX_IN_ACTION || kind == VX_IN_CHOSEN ||
		    kind == VX_IN_TIME;
	for (uint32_t i = 0; may_write && i < windows_count; i++)
		keep_window(&windows[i]);
}

VX_EXPORT int vx_input_ask(void)
{
	return vx_key_ask(&vx_shared.trap);
}

VX_EXPORT int vx_input_note(const struct vx_note *note)
{
	return vx_key_note(note);
}

VX_EXPORT void vx_input_time(uint64_t now_ns)
{
	vx_key_bytes(&now_ns, sizeof(now_ns));
}

/* The rings decide what comes of this input: always, or if it turns out to touch them. */
VX_EXPORT void vx_input_windows(uint32_t always)
{
	if (!always) {
		__builtin_memcpy(key_in_front, key, key_size);
		size_in_front = key_size;
		key_size = 0;
	}
	vx_key_windows();
}

VX_EXPORT void vx_input_end_of_run(void)
{
	vx_key_end();
}

VX_EXPORT void vx_effect(const void *from, uint32_t size)
{
	if (effects_size + size > sizeof(effects)) {
		vx_gave_up = true;
		return;
	}
	__builtin_memcpy(effects + effects_size, from, size);
	effects_size += size;
}

static void write_effect(const struct window *window, uint32_t at, uint32_t size)
{
	uint64_t address = window->address + at;
	uint16_t bytes = size;

	vx_effect(&(uint8_t){ VX_DOES_WRITE }, 1);
	vx_effect(&address, 8);
	vx_effect(&bytes, 2);
	vx_effect((const void *)address, bytes);
	vx_copy(window->before + at, (const void *)address, bytes);
}

static void write_range(const struct window *window, uint32_t from, uint32_t to)
{
	for (; from < to; from += WRITE_MAX)
		write_effect(window, from, to - from < WRITE_MAX ? to - from : WRITE_MAX);
}

/*
 * A packet that the host has written, whole, whatever was there before: what lies behind the write
 * index is not among what comes in, so nothing may depend on it.
 */
static bool tell_packet(const struct window *window)
{
	uint32_t data = window->size - RING_HEADER_BYTES, from, to;

	__builtin_memcpy(&from, window->before, 4);
	__builtin_memcpy(&to, (const void *)window->address, 4);
	if (from == to || from >= data || to >= data)
		return false;
	if (from > to) {
		write_range(window, RING_HEADER_BYTES + from, window->size);
		from = 0;
	}
	write_range(window, RING_HEADER_BYTES + from, RING_HEADER_BYTES + to);
	return true;
}

static bool same_64(const uint8_t *one, const uint8_t *other)
{
	uint64_t a[8], b[8], differ = 0;

	__builtin_memcpy(a, one, sizeof(a));
	__builtin_memcpy(b, other, sizeof(b));
	for (unsigned i = 0; i < 8; i++)
		differ |= a[i] ^ b[i];
	return !differ;
}

/* What of the window the host has written meanwhile. */
static bool tell_writes(const struct window *window)
{
	const uint8_t *now = (const uint8_t *)window->address;
	bool any = tell_packet(window);

	for (uint32_t at = 0; at < window->size; at++) {
		uint32_t end, equal = 0;

		while (at + 64 < window->size && same_64(now + at, window->before + at))
			at += 64;
		if (now[at] == window->before[at])
			continue;
		for (end = at + 1; end < window->size && equal < RUN_MIN && end - at < WRITE_MAX; end++)
			equal = now[end] == window->before[end] ? equal + 1 : 0;
		end -= equal;
		write_effect(window, at, end - at);
		at = end - 1;
		any = true;
	}
	return any;
}

/* The input in front of a look at the rings: it leads to a state in which the look comes in. */
static enum vx_heard heard_in_front(void)
{
	const uint8_t looks = VX_DOES_LOOK;
	struct vx_learnt look = { key_in_front, &looks, &looks, size_in_front, 1, 0,
				  vx_by_history(key_in_front, size_in_front), 0 };
	enum vx_heard heard = vx_heard_before(look.key, look.key_size, look.effects, 1);

	if (heard == VX_NEW)
		return vx_learn(&look) ? VX_HEARD : VX_UNHEARD;
	return heard;
}

/* The input is over: whether it is known to do what it has done. */
VX_EXPORT int vx_input_over(void)
{
	bool any = false;

	for (uint32_t i = 0; may_write && i < windows_count; i++)
		any |= tell_writes(&windows[i]);
	if (vx_gave_up)
		return VX_UNHEARD;
	if (size_in_front && any) {
		enum vx_heard heard = heard_in_front();

		if (heard != VX_HEARD)
			return heard;
	} else if (size_in_front) { /* it touched none: that is all there is of it */
		__builtin_memcpy(key, key_in_front, size_in_front);
		key_size = size_in_front;
	}
	return vx_heard_before(key, key_size, effects, effects_size);
}

/* It is not: remember it, the state that it led to, and what happened. False if there is no room. */
VX_EXPORT int vx_input_learnt(uint64_t to, uint64_t told, const uint8_t *events,
			      uint32_t events_size)
{
	return vx_learn(&(struct vx_learnt){ key, effects, events, key_size, effects_size, events_size,
					     to, told });
}

VX_EXPORT uint64_t vx_known_times(void)
{
	return vx_times;
}

VX_EXPORT void vx_inputs_begin(void)
{
	vx_gave_up = false;
	vx_known_restart();
	vx_inputs_reset();
}
