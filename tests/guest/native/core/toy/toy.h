/* SPDX-License-Identifier: MIT */
/*
 * A second thing to stand on the core, with no kernel in it: what its functions do wrong, and what
 * they do that looks alike and is right, is for the core to tell apart.
 */
#ifndef TOY_H
#define TOY_H

#include "vx.h"

#define TOY(name)                         \
	VX_EXPORT void name(void *unused); \
	VX_EXPORT void name(void *unused __attribute__((unused)))

struct node {
	struct node *next;
	uint64_t value;
};

void *toy_new(size_t size);
void toy_free(void *object);
void toy_note(const char *text);

#endif
