/* SPDX-License-Identifier: MIT */
/*
 * What is remembered of the world outside of the guest: a tree of everything that has ever come in to
 * it, in order, and what it did each time. The same inputs in the same order have the same effects,
 * since nothing out there draws lots or looks at a clock of its own. Knows neither what the bytes of
 * an input mean nor those of an effect.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "engine.h"

#define NODES_MAX (4u << 20)
#define BYTES_MAX (1ull << 30) /* mapped, not used until written */

static struct node {
	uint64_t bytes; /* where its key is, and behind that its effects */
	uint32_t key_size, effects_size;
	uint32_t child, sibling; /* 0: none */
} *nodes VX_LEFT;
static uint8_t *bytes VX_LEFT;
static uint64_t bytes_used VX_LEFT;
static uint32_t nodes_count VX_LEFT;
uint32_t vx_here VX_LEFT;

/* Make room, once; -1 if there is none. */
static int make_room(void)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

	if (nodes)
		return 0;
	nodes = mmap(NULL, NODES_MAX * sizeof(*nodes), PROT_READ | PROT_WRITE, flags, -1, 0);
	bytes = mmap(NULL, BYTES_MAX, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (nodes == MAP_FAILED || bytes == MAP_FAILED) {
		nodes = NULL;
		return -1;
	}
	return 0;
}

/* Forget everything: another scenario, another host. */
VX_EXPORT int vx_forget_all(void)
{
	if (make_room())
		return -1;
	nodes_count = 1;
	bytes_used = 0;
	vx_here = 0;
	vx_fill(nodes, 0, sizeof(*nodes));
	return 0;
}

static bool same(const uint8_t *one, const uint8_t *other, uint32_t size)
{
	uint64_t a, b;

	for (; size >= 8; size -= 8, one += 8, other += 8) {
		__builtin_memcpy(&a, one, 8);
		__builtin_memcpy(&b, other, 8);
		if (a != b)
			return false;
	}
	while (size--)
		if (*one++ != *other++)
			return false;
	return true;
}

static uint32_t find(const uint8_t *key, uint32_t size)
{
	uint32_t child = nodes[vx_here].child;

	while (child && (nodes[child].key_size != size || !same(bytes + nodes[child].bytes, key, size)))
		child = nodes[child].sibling;
	return child;
}

/* One input further, and what it does; false if that has never been seen here. */
bool vx_step_known(const uint8_t *key, uint32_t size, struct vx_effects *effects)
{
	uint32_t child = find(key, size);

	if (!child)
		return false;
	vx_here = child;
	effects->bytes = bytes + nodes[child].bytes + size;
	effects->size = nodes[child].effects_size;
	return true;
}

/*
 * Remember what an input did, and go on from there. 0, or 1 if it is known to do something else, or 2
 * if there is no room for more.
 */
int vx_learn(const uint8_t *key, uint32_t size, const uint8_t *effects, uint32_t effects_size);

int vx_learn(const uint8_t *key, uint32_t size, const uint8_t *effects, uint32_t effects_size)
{
	uint32_t child = find(key, size);
	struct node *node;

	if (child) {
		vx_here = child;
		node = &nodes[child];
		return node->effects_size != effects_size ||
		       !same(bytes + node->bytes + size, effects, effects_size);
	}
	if (nodes_count == NODES_MAX || bytes_used + size + effects_size > BYTES_MAX)
		return 2;
	node = &nodes[nodes_count];
	*node = (struct node){ bytes_used, size, effects_size, 0, nodes[vx_here].child };
	vx_copy(bytes + bytes_used, key, size);
	vx_copy(bytes + bytes_used + size, effects, effects_size);
	bytes_used += size + effects_size;
	nodes[vx_here].child = nodes_count;
	vx_here = nodes_count++;
	return 0;
}

VX_EXPORT uint32_t vx_known_node(void)
{
	return vx_here;
}

VX_EXPORT uint32_t vx_known_nodes(void)
{
	return nodes_count;
}

VX_EXPORT void vx_known_restart(void)
{
	vx_here = 0;
}
