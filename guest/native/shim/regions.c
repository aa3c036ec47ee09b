/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMBus looks for room among its addresses step by step, as small as the alignment: behind a window of
 * 128 GiB that is eight million requests that fail. What is busy is told here without any memory.
 */
#include <linux/ioport.h>

#include "shim.h"

struct resource *__real___request_region(struct resource *parent, resource_size_t start,
					 resource_size_t n, const char *name, int flags);
struct resource *__wrap___request_region(struct resource *parent, resource_size_t start,
					 resource_size_t n, const char *name, int flags);

/* A child that is in the way and will be; one that is not busy may have room inside. */
static bool is_taken(const struct resource *parent, resource_size_t start, resource_size_t end)
{
	const struct resource *child = parent->child;

	while (child && child->end < start)
		child = child->sibling;
	return child && child->start <= end && child->flags & IORESOURCE_BUSY &&
	       !(child->flags & IORESOURCE_MUXED);
}

struct resource *__wrap___request_region(struct resource *parent, resource_size_t start,
					 resource_size_t n, const char *name, int flags)
{
	if (is_taken(parent, start, start + n - 1))
		return NULL;
	return __real___request_region(parent, start, n, name, flags);
}
