/* SPDX-License-Identifier: MIT */
/* What would end a process, or never end. */
#include "toy.h"

static struct node *volatile nobody;
static volatile uint64_t counter, nothing;

TOY(reads_null) { counter = nobody->value; }
TOY(checks_null) { counter = nobody ? nobody->value : 0; }
TOY(calls_null) { ((void (*)(void))nobody)(); }
TOY(divides_by_zero) { counter = 100 / nothing; }

TOY(follows_poison)
{
	struct node *node = (struct node *)0xdead000000000100ull;

	counter = node->value;
}

TOY(writes_into_the_wild) { *(uint64_t *)0x7000dead0000ull = 1; }

static __attribute__((noinline)) void write_words(uint64_t *words, int count)
{
	for (int i = 0; i < count; i++)
		((volatile uint64_t *)words)[i] = 0x4141414141414141ull;
}

static __attribute__((noinline)) void has_an_array(int count)
{
	uint64_t words[4];

	write_words(words, count);
	counter = words[0];
}

TOY(smashes_its_stack) { has_an_array(7); }
TOY(fills_its_array) { has_an_array(4); }

/* Nothing the compiler guards: the return address itself. */
static __attribute__((noinline, optimize("no-stack-protector"))) void aims(uint64_t value)
{
	((volatile uint64_t *)__builtin_frame_address(0))[1] = value;
}

TOY(returns_to_what_is_no_address) { aims(0x4141414141414141ull); }
TOY(returns_to_where_no_code_is) { aims(0x70000000ull); }

static __attribute__((noinline)) uint64_t deep(uint64_t level)
{
	volatile uint64_t room[64];

	room[level % 64] = level;
	return level ? deep(level - 1) + room[level % 64] : 0;
}

TOY(recurses_for_ever) { counter = deep(1u << 30); }
TOY(recurses_a_little) { counter = deep(40); }

TOY(loops_for_ever)
{
	for (;;)
		counter++;
}

TOY(loops_for_long)
{
	for (int i = 0; i < 1000000; i++)
		counter++;
}

TOY(loops_without_a_trace)
{
	for (;;)
		__asm__ volatile("");
}
