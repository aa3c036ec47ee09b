/* SPDX-License-Identifier: MIT */
/* Two contexts and one word: what orders them, and what does not. */
#include "toy.h"

static struct shared {
	uint64_t plain, other, flag;
	struct vx_queue queue;
	bool open;
} *shared;
static uint64_t lock;

/* Runs first in every story: the object has to be there. */
TOY(makes_the_word)
{
	shared = toy_new(sizeof(*shared));
	shared->plain = shared->other = shared->flag = 0;
	vx_queue_init(&shared->queue, "word");
	shared->open = false;
	vx_release(&shared);
}

static struct shared *the_word(void)
{
	vx_acquire(&shared);
	return shared;
}

TOY(writes_one) { the_word()->plain = 1; }
TOY(writes_what_is_there) { the_word()->plain = the_word()->plain; }
TOY(writes_nothing_new) { the_word()->plain = 0; }
TOY(reads) { toy_note(the_word()->plain ? "one" : "nought"); }
TOY(reads_the_neighbour) { toy_note(the_word()->other ? "one" : "nought"); }

TOY(writes_marked) { *(volatile uint64_t *)&the_word()->plain = 1; }
TOY(reads_marked) { toy_note(*(volatile uint64_t *)&the_word()->plain ? "one" : "nought"); }

TOY(reads_on_purpose)
{
	vx_race_quiet(1);
	toy_note(the_word()->plain ? "one" : "nought");
	vx_race_quiet(-1);
}

static void take(void) { vx_acquire(&lock); }
static void give(void) { vx_release(&lock); }

TOY(writes_locked)
{
	take();
	the_word()->plain = 1;
	give();
}

TOY(reads_locked)
{
	take();
	toy_note(the_word()->plain ? "one" : "nought");
	give();
}

TOY(publishes)
{
	the_word()->plain = 1;
	*(volatile uint64_t *)&shared->flag = 1;
}

TOY(reads_if_published)
{
	if (*(volatile uint64_t *)&the_word()->flag)
		toy_note(shared->plain ? "one" : "nought");
}

TOY(writes_and_wakes)
{
	the_word()->plain = 1;
	vx_wake_all(&shared->queue);
}

TOY(sleeps_and_reads)
{
	vx_park(&the_word()->queue, "word", VX_NEVER);
	toy_note(shared->plain ? "one" : "nought");
}

static void child(void *unused)
{
	(void)unused;
	toy_note(shared->plain ? "one" : "nought");
}

TOY(writes_and_starts_another)
{
	the_word()->plain = 1;
	vx_start(VX_THREAD, 1, "child", child, NULL);
}

TOY(starts_another_and_writes)
{
	the_word();
	vx_start(VX_THREAD, 1, "child", child, NULL);
	shared->plain = 1;
}

TOY(asks_after_it_wrote)
{
	the_word()->plain = 1;
	vx_ask(VX_MMIO_WRITE, 0, 0, 0, 4);
}
