/* SPDX-License-Identifier: MIT */
/*
 * What is remembered of the world outside of the guest: what each input did in each state of it, and
 * in which state it was then. Nothing out there draws lots or looks at a clock of its own, so the same
 * input in the same state does the same, in whatever order they came to it. Knows neither what the
 * bytes of an input mean nor those of an effect; a state is a number that Python makes.
 *
 * All of it may lie in a file that several processes map: what one has learnt the others know.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine.h"

#define EDGES_MAX (1u << 20)
#define SLOTS (2 * EDGES_MAX)
#define BYTES_MAX (1ull << 30) /* mapped, not used until written */
#define CAME_MAX 65536
#define TRIES_MAX (1u << 20) /* whoever had the lock is dead by then, and nobody learns any more */

#define OF_VERDICTS (UINT64_MAX - 1) /* no state, but where verdicts are kept */

struct edge {
	uint64_t from, to; /* states */
	uint64_t told; /* a digest of the events */
	uint64_t bytes; /* where its key is, and behind that its effects and its events */
	uint32_t key_size, effects_size, events_size;
	uint32_t next; /* the number of what came next, the last time, and 1; 0: nothing yet */
};

static struct store {
	uint32_t lock, edges_count;
	uint64_t bytes_used;
	uint32_t slots[SLOTS]; /* an edge's number and 1; 0: free */
	struct edge edges[EDGES_MAX];
	uint8_t bytes[BYTES_MAX];
} *store VX_LEFT;

static bool locked_for_ever VX_LEFT;
static struct vx_came path[CAME_MAX] VX_LEFT;
static uint32_t path_count VX_LEFT, latest VX_LEFT;
static uint64_t here VX_LEFT, stream VX_LEFT;

static uint64_t mixed(uint64_t one, uint64_t other)
{
	one = (one ^ other) * 0x9E3779B97F4A7C15ull;
	return one ^ one >> 29;
}

/*
 * Forget everything: another scenario, another host. What is remembered from now on lies in the file
 * of that descriptor, with what others have put there; -1: in this process alone. -1 if there is no
 * room.
 */
VX_EXPORT int vx_remember_in(int file)
{
	int flags = MAP_NORESERVE | (file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);

	if (store)
		munmap(store, sizeof(*store));
	store = NULL;
	if (file >= 0 && ftruncate(file, sizeof(*store)))
		return -1;
	store = mmap(NULL, sizeof(*store), PROT_READ | PROT_WRITE, flags, file, 0);
	if (store == MAP_FAILED)
		store = NULL;
	locked_for_ever = false;
	vx_known_restart();
	return store ? 0 : -1;
}

/* A run from its beginning. */
VX_EXPORT void vx_known_restart(void)
{
	here = stream = 0;
	path_count = latest = 0;
}

static uint64_t word_at(const uint8_t *bytes, uint32_t size)
{
	uint64_t word = 0;

	__builtin_memcpy(&word, bytes, size < 8 ? size : 8);
	return word;
}

static bool same(const uint8_t *one, const uint8_t *other, uint32_t size)
{
	for (; size >= 8; size -= 8, one += 8, other += 8)
		if (word_at(one, 8) != word_at(other, 8))
			return false;
	return word_at(one, size) == word_at(other, size);
}

static uint64_t digest_of_key(uint64_t from, const uint8_t *key, uint32_t size)
{
	uint64_t digest = mixed(from, size);

	for (; size > 8; size -= 8, key += 8)
		digest = mixed(digest, word_at(key, 8));
	return mixed(digest, word_at(key, size));
}

static bool is_of(const struct edge *edge, uint64_t from, const uint8_t *key, uint32_t size)
{
	return edge->from == from && edge->key_size == size &&
	       same(store->bytes + edge->bytes, key, size);
}

/* The slot of what this key does in a state, or the free one where that belongs. */
static uint32_t *slot_of(uint64_t from, const uint8_t *key, uint32_t size)
{
	uint32_t at = digest_of_key(from, key, size) >> 20 & (SLOTS - 1), taken;

	while ((taken = __atomic_load_n(&store->slots[at], __ATOMIC_ACQUIRE))) {
		if (is_of(&store->edges[taken - 1], from, key, size))
			break;
		at = (at + 1) & (SLOTS - 1);
	}
	return &store->slots[at];
}

/* Mostly what came next the last time comes next; the slots are far apart in memory. */
static const struct edge *find(const uint8_t *key, uint32_t size)
{
	uint32_t *next = &store->edges[latest].next;
	uint32_t taken = __atomic_load_n(next, __ATOMIC_ACQUIRE);
	const struct edge *edge = &store->edges[taken - 1];

	if (taken && (is_of(edge, here, key, size) || is_of(edge, VX_ANYWHERE, key, size)))
		return edge;
	taken = *slot_of(here, key, size);
	if (!taken)
		taken = *slot_of(VX_ANYWHERE, key, size);
	if (!taken)
		return NULL;
	__atomic_store_n(next, taken, __ATOMIC_RELEASE);
	return &store->edges[taken - 1];
}

/* This is what came in. */
static void go(const struct edge *edge)
{
	if (edge->to != VX_ANYWHERE)
		here = edge->to;
	latest = edge - store->edges;
	if (!edge->events_size)
		return;
	stream = mixed(stream, edge->told);
	if (path_count == CAME_MAX)
		vx_gave_up = true;
	else
		path[path_count++] = (struct vx_came){ vx_now_ns, latest, 0 };
}

/* One input further, and what it does; false if that has never been seen here. */
bool vx_step_known(const uint8_t *key, uint32_t size, struct vx_effects *effects)
{
	const struct edge *edge = find(key, size);

	if (!edge)
		return false;
	go(edge);
	effects->bytes = store->bytes + edge->bytes + size;
	effects->size = edge->effects_size;
	return true;
}

/* The same for an input that has just had these effects. */
enum vx_heard vx_heard_before(const uint8_t *key, uint32_t size, const uint8_t *effects,
			      uint32_t effects_size)
{
	const struct edge *edge = find(key, size);

	if (!edge)
		return VX_NEW;
	if (edge->effects_size != effects_size ||
	    !same(store->bytes + edge->bytes + size, effects, effects_size))
		return VX_CONTRADICTED;
	go(edge);
	return VX_HEARD;
}

/* A state that is told from others by how it was come to, and by nothing else. */
uint64_t vx_by_history(const uint8_t *key, uint32_t size)
{
	return digest_of_key(here, key, size) | 1;
}

static bool lock(void)
{
	for (uint32_t tries = 0; !locked_for_ever && tries < TRIES_MAX; tries++) {
		if (!__atomic_exchange_n(&store->lock, 1, __ATOMIC_ACQUIRE))
			return true;
		sched_yield();
	}
	locked_for_ever = true;
	return false;
}

static const struct edge *added(uint64_t from, const struct vx_learnt *what)
{
	uint64_t size = (uint64_t)what->key_size + what->effects_size + what->events_size;
	struct edge *edge = &store->edges[store->edges_count];
	uint32_t *slot = slot_of(from, what->key, what->key_size);
	uint8_t *bytes = store->bytes + store->bytes_used;

	if (*slot)
		return &store->edges[*slot - 1]; /* by another process, meanwhile */
	if (store->edges_count == EDGES_MAX || store->bytes_used + size > BYTES_MAX)
		return NULL;
	*edge = (struct edge){ from, what->to ?: vx_by_history(what->key, what->key_size), what->told, store->bytes_used, what->key_size,
			       what->effects_size, what->events_size, 0 };
	__builtin_memcpy(bytes, what->key, what->key_size);
	__builtin_memcpy(bytes + what->key_size, what->effects, what->effects_size);
	__builtin_memcpy(bytes + what->key_size + what->effects_size, what->events,
			 what->events_size);
	store->bytes_used += size;
	__atomic_store_n(slot, ++store->edges_count, __ATOMIC_RELEASE);
	return edge;
}

static const struct edge *add(uint64_t from, const struct vx_learnt *what)
{
	const struct edge *edge;

	if (!lock())
		return NULL;
	edge = added(from, what);
	__atomic_store_n(&store->lock, 0, __ATOMIC_RELEASE);
	return edge;
}

/* Remember what an input did here, and go on from there; false if there is no room for more. */
bool vx_learn(const struct vx_learnt *what)
{
	const struct edge *edge = add(what->to == VX_ANYWHERE ? VX_ANYWHERE : here, what);

	if (edge)
		go(edge);
	return edge;
}

/* Keep what Python says of runs of that key; nothing happens if there is no room. */
VX_EXPORT void vx_keep_verdict(const uint8_t *key, uint32_t size, const uint8_t *verdict,
			       uint32_t verdict_size)
{
	add(OF_VERDICTS, &(struct vx_learnt){ key, key, verdict, size, 0, verdict_size, OF_VERDICTS, 0 });
}

/* The number of what is kept, as vx_known_events() has it, and 1; 0 if nothing is. */
VX_EXPORT uint32_t vx_verdict(const uint8_t *key, uint32_t size)
{
	return *slot_of(OF_VERDICTS, key, size);
}

/* --- what has come in so far --- */

VX_EXPORT uint64_t vx_known_stream(void)
{
	return stream;
}

VX_EXPORT uint32_t vx_known_latest(void)
{
	return latest;
}

VX_EXPORT uint32_t vx_known_edges(void)
{
	return store->edges_count;
}

/* The inputs in which something happened, in order; how many they are. */
VX_EXPORT uint32_t vx_known_path(const struct vx_came **first)
{
	*first = path;
	return path_count;
}

/* What happened in an input, as Python has told it. */
VX_EXPORT const uint8_t *vx_known_events(uint32_t number, uint32_t *size)
{
	const struct edge *edge = &store->edges[number];

	*size = edge->events_size;
	return store->bytes + edge->bytes + edge->key_size + edge->effects_size;
}
