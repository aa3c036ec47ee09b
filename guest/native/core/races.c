/* SPDX-License-Identifier: MIT */
/*
 * Data races: two accesses to the same bytes by different contexts, at least one of them a write and
 * one of them plain, that nothing orders. Order is kept by vector clocks, which locks, wake-ups, work
 * items and marked accesses hand on. What counts is what the kernel's own detector counts: see below.
 * Off unless asked for. Knows addresses and clocks, no lock by name.
 *
 * Model: a marked access (READ_ONCE, WRITE_ONCE, an atomic) orders what is around it, as if it were
 * acquire or release. Linux promises less, so races that depend on that are not seen.
 * Model: of each eight bytes the last write and the last readers are remembered, one of each context.
 */
#include <string.h>
#include <sys/mman.h>

#include "vx.h"

#define WORDS_MAX 32768u /* powers of two, of eight bytes each */
#define SYNCS_MAX 16384u
#define READERS 3u
#define EXCUSED_MAX 64u
#define CLOCKS_BYTES (64u << 20)

struct clocks { /* what a context has seen of the others; shared, and copied before it changes */
	uint32_t count;
	uint32_t seen[];
};

struct racer { /* of each context */
	struct clocks *clocks;
	uint32_t own;
	uint32_t quiet; /* inside data_race() */
	bool lent; /* somebody else has its clocks too */
};

struct moment { /* what is handed on by a release */
	const void *object;
	const struct clocks *clocks;
	uint32_t run, ctx, own;
};

struct access {
	struct vx_trail calls;
	const void *code;
	uint64_t before; /* of a write: what the eight bytes were */
	uint32_t ctx, own; /* own 0: none */
	uint8_t bytes, flags;
};

struct word {
	uintptr_t number;
	uint32_t run, next_reader;
	struct access write, reads[READERS];
};

uint32_t vx_races;

static struct racer racers[VX_CONTEXTS_MAX] VX_LEFT;
static struct moment syncs[SYNCS_MAX] VX_LEFT;
static struct word words[WORDS_MAX] VX_LEFT;
static uint32_t run VX_LEFT, words_used VX_LEFT, syncs_used VX_LEFT;
static char *pool VX_LEFT;
static size_t pool_used VX_LEFT;
static uintptr_t code_low VX_LEFT, code_high VX_LEFT;
static uint32_t wanted VX_LEFT;
static uint32_t pages[VX_ARENA_BYTES >> 12] VX_LEFT; /* the run in which the driver had memory there */

static struct excused { /* two functions between which a race is none */
	const char *one, *other;
} excused[EXCUSED_MAX] VX_LEFT;
static uint32_t excused_count VX_LEFT;

static struct { /* a write that races if it changes anything, which is not known before it is done */
	struct word *word;
	struct access access, other;
	uint64_t before;
} pending VX_LEFT;

/* --- clocks --- */

static struct clocks *new_clocks(uint32_t count)
{
	size_t size = sizeof(struct clocks) + count * sizeof(uint32_t);
	struct clocks *clocks = (struct clocks *)(pool + pool_used);

	if (pool_used + size > CLOCKS_BYTES) {
		vx_races = 0; /* of this run, no more is asked */
		pool_used = 0;
	}
	pool_used += (size + 7) & ~(size_t)7;
	clocks->count = count;
	return clocks;
}

static uint32_t seen(const struct clocks *clocks, uint32_t ctx)
{
	return ctx < clocks->count ? clocks->seen[ctx] : 0;
}

/* Clocks of its own, with room for `count`. */
static struct clocks *owned(struct racer *racer, uint32_t count)
{
	struct clocks *old = racer->clocks, *made;

	if (!racer->lent && old->count >= count)
		return old;
	count = count > old->count ? count : old->count;
	made = new_clocks(count);
	vx_copy(made->seen, old->seen, old->count * sizeof(uint32_t));
	vx_fill(made->seen + old->count, 0, (count - old->count) * sizeof(uint32_t));
	racer->lent = false;
	return racer->clocks = made;
}

static void join(uint32_t id, const struct moment *moment)
{
	struct racer *racer = &racers[id];
	struct clocks *clocks;

	if (moment->ctx == id || seen(racer->clocks, moment->ctx) >= moment->own)
		return; /* and so everything that it had seen then */
	clocks = owned(racer, moment->clocks->count > moment->ctx ? moment->clocks->count :
								    moment->ctx + 1);
	for (uint32_t i = 0; i < moment->clocks->count; i++)
		if (clocks->seen[i] < moment->clocks->seen[i])
			clocks->seen[i] = moment->clocks->seen[i];
	clocks->seen[moment->ctx] = moment->own;
}

static struct moment *sync_of(const void *object)
{
	uint32_t slot = (uint32_t)((uintptr_t)object * 0x9E3779B97F4A7C15ull >> 50) % SYNCS_MAX;

	while (syncs[slot].run == run && syncs[slot].object != object)
		slot = (slot + 1) % SYNCS_MAX;
	return &syncs[slot];
}

void vx_race_acquire(const void *object)
{
	const struct moment *moment = sync_of(object);

	if (vx_current && moment->run == run)
		join(vx_current->id, moment);
}

void vx_race_release(const void *object)
{
	struct moment *moment = sync_of(object);
	struct racer *racer;

	if (!vx_current)
		return;
	if (moment->run != run && ++syncs_used > SYNCS_MAX / 2) {
		vx_races = 0;
		return;
	}
	racer = &racers[vx_current->id];
	*moment = (struct moment){ object, racer->clocks, run, vx_current->id, racer->own++ };
	racer->lent = true;
}

/* A context begins: after all that who starts it has done; if that is the host, after what it was told. */
void vx_race_starts(struct vx_ctx *ctx)
{
	struct racer *racer = &racers[ctx->id];

	*racer = (struct racer){ .clocks = new_clocks(0), .own = 1 };
	if (vx_current) {
		struct racer *parent = &racers[vx_current->id];
		struct moment now = { NULL, parent->clocks, run, vx_current->id, parent->own++ };

		parent->lent = true;
		join(ctx->id, &now);
	} else if (sync_of(&vx_shared)->run == run) {
		join(ctx->id, sync_of(&vx_shared));
	}
}

/* --- accesses --- */

static bool is_driver_code(const void *code)
{
	return (uintptr_t)code - code_low < code_high - code_low;
}

static bool is_driver_memory(const void *address)
{
	uintptr_t offset = (uintptr_t)address - VX_ARENA_BASE;

	return offset < VX_ARENA_BYTES && pages[offset >> 12] == run &&
	       vx_is_of(address, code_low, code_high);
}

void vx_race_allocated(const void *object, size_t size, const void *caller)
{
	uintptr_t offset = (uintptr_t)object - VX_ARENA_BASE;

	if (!is_driver_code(caller))
		return;
	for (uintptr_t page = offset >> 12; page <= (offset + size) >> 12; page++)
		pages[page] = run;
}

static bool is_before(const struct access *access, uint32_t id)
{
	return access->ctx == id || seen(racers[id].clocks, access->ctx) >= access->own;
}

/*
 * As the kernel's detector has it by default: plain aligned writes of at most a word count as if they
 * were marked, so that a race needs a plain read, or a write that may be torn.
 */
static bool is_plain(const struct access *access)
{
	return !(access->flags & VX_MARKED) &&
	       (!(access->flags & VX_WRITE) || (access->flags & VX_TORN));
}

static bool conflicts(const struct access *a, const struct access *b)
{
	return b->own && (a->bytes & b->bytes) && ((a->flags | b->flags) & VX_WRITE) &&
	       (is_plain(a) || is_plain(b)) && !is_before(b, a->ctx);
}

static uint64_t mask_of(uint8_t bytes)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < 8; i++)
		if (bytes & 1 << i)
			mask |= 0xffull << 8 * i;
	return mask;
}

static uint64_t value_of(const struct word *word)
{
	return *(const volatile uint64_t *)(word->number * 8);
}

static const char *name_of(const struct access *access)
{
	if (access->flags & VX_MARKED)
		return access->flags & VX_WRITE ? "marked write" : "marked read";
	return access->flags & VX_WRITE ? "plain write" : "plain read";
}

static void tell(const struct word *word, const struct access *now, const struct access *other)
{
	static struct access first VX_OWN, second VX_OWN;
	char where[160];

	first = *other, second = *now;
	vx_describe((const void *)(word->number * 8), where, sizeof(where));
	vx_tell_calls("access", &second.calls);
	vx_tell_calls("earlier", &first.calls);
	vx_finding("data-race", "%s in %s of %s, which nothing orders with a %s in %s by %s",
		   name_of(now), vx_function_name((const char *)now->code - 1), where, name_of(other),
		   vx_function_name((const char *)other->code - 1), vx_context(other->ctx)->title);
}

/* What was written when it was asked about is there now. */
void vx_race_settle(void)
{
	struct word *word = pending.word;

	pending.word = NULL;
	if (word && (value_of(word) ^ pending.before) & mask_of(pending.access.bytes))
		tell(word, &pending.access, &pending.other);
}

static bool is_excused(const struct access *a, const struct access *b)
{
	const char *one = vx_function_name((const char *)a->code - 1);
	const char *other = vx_function_name((const char *)b->code - 1);

	for (uint32_t i = 0; i < excused_count; i++)
		if ((!strcmp(one, excused[i].one) && !strcmp(other, excused[i].other)) ||
		    (!strcmp(other, excused[i].one) && !strcmp(one, excused[i].other)))
			return true;
	return false;
}

static void compare(struct word *word, const struct access *now, const struct access *other)
{
	if (!conflicts(now, other) || vx_telling || racers[now->ctx].quiet)
		return;
	if (!is_driver_code(now->code) && !is_driver_code(other->code) &&
	    !is_driver_memory((const void *)(word->number * 8)))
		return; /* between others, about what the driver has but looked at */
	if (is_excused(now, other))
		return;
	if (now->flags & VX_WRITE) {
		if (pending.word)
			return;
		pending.word = word;
		pending.access = *now;
		pending.other = *other;
		pending.before = value_of(word);
	} else if ((value_of(word) ^ other->before) & mask_of(now->bytes & other->bytes)) {
		tell(word, now, other);
	}
}

static struct word *word_of(uintptr_t number, const void *code)
{
	uint32_t slot = (uint32_t)(number * 0x9E3779B97F4A7C15ull >> 49) % WORDS_MAX;

	while (words[slot].run == run && words[slot].number != number)
		slot = (slot + 1) % WORDS_MAX;
	if (words[slot].run == run)
		return &words[slot];
	if (!is_driver_code(code) && !is_driver_memory((const void *)(number * 8)))
		return NULL;
	if (words_used > WORDS_MAX / 2 || vx_is_apart((const void *)(number * 8)))
		return NULL;
	words_used++;
	words[slot] = (struct word){ .number = number, .run = run };
	return &words[slot];
}

static void remember(struct word *word, const struct access *now)
{
	if (now->flags & VX_WRITE) {
		word->write = *now;
		return;
	}
	for (uint32_t i = 0; i < READERS; i++) {
		if (word->reads[i].own && word->reads[i].ctx != now->ctx)
			continue;
		word->reads[i] = *now;
		return;
	}
	word->reads[word->next_reader++ % READERS] = *now;
}

static void access_word(uintptr_t number, struct access *now)
{
	struct word *word = word_of(number, now->code);

	if (!word)
		return;
	if (now->flags & VX_MARKED)
		vx_race_acquire((const void *)(number * 8));
	now->own = racers[now->ctx].own;
	vx_remember_calls(&now->calls, now->code);
	compare(word, now, &word->write);
	if (now->flags & VX_WRITE) {
		for (uint32_t i = 0; i < READERS; i++)
			compare(word, now, &word->reads[i]);
		now->before = value_of(word);
	}
	remember(word, now);
	if ((now->flags & VX_MARKED) && (now->flags & VX_WRITE))
		vx_race_release((const void *)(number * 8));
}

/* An access that `code` is about to make. */
void vx_race_access(const void *address, size_t size, uint32_t flags, const void *code)
{
	uintptr_t at = (uintptr_t)address, end = at + size;

	if (!vx_current || vx_telling)
		return;
	vx_race_settle();
	if (size > 8 || at % size)
		flags |= VX_TORN;
	while (at < end) {
		uintptr_t number = at / 8, stop = (number + 1) * 8 < end ? (number + 1) * 8 : end;
		struct access now = { .code = code, .ctx = vx_current->id, .flags = flags };

		now.bytes = ((1u << (stop - at)) - 1) << at % 8;
		access_word(number, &now);
		at = stop;
	}
}

void vx_race_quiet(int change)
{
	if (vx_current)
		racers[vx_current->id].quiet += change;
}

/* --- when --- */

/* Races between these two functions are known; the names stay the caller's. */
VX_EXPORT void vx_excuse_race(const char *one, const char *other)
{
	if (excused_count < EXCUSED_MAX)
		excused[excused_count++] = (struct excused){ one, other };
}

/* Look for data races of this code from the next run on, all of them; from X to X: no more. */
VX_EXPORT int vx_look_for_races(uint64_t low, uint64_t high)
{
	excused_count = 0;
	code_low = low;
	code_high = high;
	wanted = low != high;
	if (wanted && !pool) {
		pool = mmap(NULL, CLOCKS_BYTES + (VX_CONTEXTS_MAX + 2) * sizeof(uint32_t),
			    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (pool == MAP_FAILED)
			return -1;
	}
	return 0;
}

void vx_race_reset(void)
{
	run++;
	words_used = syncs_used = 0;
	pool_used = 0;
	pending.word = NULL;
	vx_races = wanted;
}
