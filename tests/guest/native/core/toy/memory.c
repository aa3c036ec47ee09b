/* SPDX-License-Identifier: MIT */
/* Memory that is used as it must not be, and beside each case a lawful one that looks like it. */
#include "toy.h"

static struct node *kept;

static struct node *make_node(void)
{
	struct node *node = toy_new(sizeof(*node));

	node->next = NULL;
	node->value = 1;
	return node;
}

TOY(uses_after_free)
{
	struct node *node = make_node();

	toy_free(node);
	node->value = 2;
}

TOY(frees_after_use)
{
	struct node *node = make_node();

	node->value = 2;
	toy_free(node);
}

TOY(frees_twice)
{
	struct node *node = make_node();

	toy_free(node);
	toy_free(node);
}

TOY(frees_two)
{
	struct node *node = make_node(), *other = make_node();

	toy_free(node);
	toy_free(other);
}

TOY(frees_what_was_never_allocated)
{
	toy_free((char *)make_node() + 8);
}

static void fill(char *bytes, int count)
{
	for (int i = 0; i < count; i++)
		bytes[i] = 1;
}

TOY(writes_behind) { fill(toy_new(24), 25); }
TOY(writes_to_the_end) { fill(toy_new(24), 24); }
TOY(reads_before) { kept = (void *)*(volatile uint64_t *)((char *)make_node() - 8); }

TOY(loses_an_object) { make_node(); }

TOY(keeps_an_object) { kept = make_node(); }

TOY(keeps_a_list)
{
	kept = make_node();
	kept->next = make_node();
}

TOY(loses_a_list)
{
	make_node()->next = make_node();
	kept = NULL;
}

/* --- what lies on a stack --- */

struct waiter {
	uint64_t done;
};

static struct waiter *waiter;

static void begin(struct waiter *here)
{
	here->done = 0;
	vx_object_begins(here, "waiter");
	waiter = here;
}

static __attribute__((noinline)) void leaves_waiter(void)
{
	struct waiter here;

	begin(&here);
	vx_point("left", NULL);
}

TOY(completes_a_dead_waiter)
{
	leaves_waiter();
	vx_object_used(waiter);
}

static __attribute__((noinline)) void completes(void)
{
	vx_object_used(waiter);
	waiter->done = 1;
}

TOY(completes_a_living_waiter)
{
	struct waiter here;

	begin(&here);
	completes();
}

TOY(parks_with_a_waiter)
{
	struct waiter here;

	begin(&here);
	vx_park(NULL, "completion", vx_shared.now_ns + 1000);
	toy_note(here.done ? "done" : "not done");
}

TOY(completes_for_another)
{
	vx_object_used(waiter);
	waiter->done = 1;
}

TOY(ends_with_a_waiter)
{
	struct waiter here;

	waiter = &here;
	here.done = 0;
	vx_point("seen", NULL);
}

TOY(writes_to_an_ended_stack) { waiter->done = 1; }

/* --- the same after every reset --- */

TOY(makes_some)
{
	for (int i = 0; i < 100; i++) {
		struct node *node = make_node();

		node->value = (uintptr_t)node;
		node->next = kept;
		kept = node;
		if (i % 3 == 0)
			toy_free(toy_new(i));
	}
}

/* --- many bytes at once, and pages that are seen twice --- */

struct large {
	uint64_t words[40];
};

static void assign(void *to)
{
	static struct large from;

	*(struct large *)to = from;
}

TOY(writes_all_of_it_and_more) { assign(toy_new(sizeof(struct large) - 8)); }
TOY(writes_all_of_it) { assign(toy_new(sizeof(struct large))); }
TOY(writes_all_of_it_from_its_middle) { assign((char *)toy_new(sizeof(struct large) + 4) + 4); }

#define PAGE_BYTES 4096

/* As of a ring: its pages, of which all but the first are seen twice. */
static char *map_ring(char *pages)
{
	void *seen[] = { pages, pages + PAGE_BYTES, pages + 2 * PAGE_BYTES, pages + PAGE_BYTES,
			 pages + 2 * PAGE_BYTES };

	return vx_alias_pages(seen, sizeof(seen) / sizeof(*seen));
}

static void see_both(char *pages, char *ring)
{
	ring[3 * PAGE_BYTES] = 7;
	ring[5 * PAGE_BYTES - 1] = 8;
	if (pages[PAGE_BYTES] == 7 && pages[3 * PAGE_BYTES - 1] == 8)
		toy_note("the same");
	if (vx_page_behind((uintptr_t)ring + 3 * PAGE_BYTES) == pages + PAGE_BYTES)
		toy_note("known");
}

TOY(maps_two_rings)
{
	char *pages = vx_alloc(3 * PAGE_BYTES, PAGE_BYTES, NULL);
	char *others = vx_alloc(3 * PAGE_BYTES, PAGE_BYTES, NULL);
	char *ring = map_ring(pages), *other = map_ring(others);

	see_both(pages, ring);
	see_both(others, other);
	see_both(pages, ring);
}

TOY(maps_two_rings_elsewhere)
{
	vx_alloc(PAGE_BYTES, PAGE_BYTES, NULL);
	maps_two_rings(NULL);
}

TOY(maps_pages_that_lie_apart)
{
	char *pages = vx_alloc(9 * PAGE_BYTES, PAGE_BYTES, NULL);
	void *seen[] = { pages + 8 * PAGE_BYTES, pages };
	char *range = vx_alias_pages(seen, 2), *ring = map_ring(pages);

	range[PAGE_BYTES] = 9;
	if (ring[0] == 9 && pages[0] == 9 && range != ring)
		toy_note("the same");
}
