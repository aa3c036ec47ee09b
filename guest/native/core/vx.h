/* SPDX-License-Identifier: MIT */
/*
 * The C core's plain interface: contexts, waiting, memory and findings, for whoever stands above it
 * (the kernel shim) and below it (the Python binding). Includes no kernel header and knows no
 * driver. One thread, one process: what runs is one context at a time.
 */
#ifndef VX_H
#define VX_H

#ifdef __KERNEL__
#include <linux/types.h>
#ifndef UINT64_MAX
#define UINT64_MAX (~0ull)
#endif
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#endif

#define VX_EXPORT __attribute__((visibility("default")))
/* Tables of ours: reset with the rest, but no way by which the guest leads to anything. */
#define VX_OWN __attribute__((section(".vx_own,\"aw\",@nobits#")))
/* Tables of ours whose content outlives a run: how much of them counts is kept elsewhere. */
#define VX_LEFT __attribute__((section(".vx_left,\"aw\",@nobits#")))
#define VX_CPUS_MAX 256 /* CONFIG_NR_CPUS, too */
#define VX_HELD_MAX 32 /* locks at once; those beyond are not told of */

enum vx_kind { VX_THREAD, VX_WORK, VX_SOFTIRQ, VX_HARDIRQ }; /* guest.kernel.context.Kind */

struct vx_queue { /* contexts asleep until woken, first in first out */
	struct vx_ctx *head, **tail;
	const char *name;
};

struct vx_ctx {
	void *sp; /* where its stack stands while it does not run */
	struct vx_ctx *next; /* in the wait queue it is in */
	struct vx_queue *queue;
	void (*entry)(void *);
	void *argument;
	void *task; /* the shim's own: what `current` points at */
	uint32_t id;
	uint8_t kind, cpu;
	bool done, atomic_entry;
	uint32_t saved_preempt; /* of the shim, while another context has the CPU */
	uint16_t irqs_off; /* 1 while interrupts are off on its CPU */
	uint16_t held_count;
	const void *held[VX_HELD_MAX]; /* locks, oldest first */
	char title[96];
	char *stack;
	struct vx_watched *watched; /* the innermost watched function it is in */
	uint64_t asked, answer; /* how often it asked the host, and the last answer */
	uint32_t noted; /* how much it did to others */
	const void *frame; /* the innermost, while it does not run */
};

/* What a context hands out when it suspends; `what` names the point as schedules have it. */
enum vx_trap_kind {
	VX_AT_POINT, /* it could go on; `text` names what it is about to touch, or `a` is that */
	VX_PARKED, /* until it is woken, or until `deadline_ns` if that is not VX_NEVER */
	VX_ASKS, /* the host: an answer goes into `answer` */
	VX_ENDED,
	VX_FOUND, /* something is wrong: `what` says which kind, `text` the rest */
};

#define VX_NEVER UINT64_MAX

enum vx_request {
	VX_HYPERCALL, VX_MMIO_READ, VX_MMIO_WRITE,
	VX_ALLOCATION_FAILS, /* a: name of what is allocated */
	VX_RING_IS_FULL, /* a, b: the payload and its bytes */
	VX_POWER_OFF,
};

enum vx_fault { VX_FAIL_ALLOCATIONS = 1, VX_FILL_RINGS = 2 }; /* bits of vx_shared.faults */

struct vx_trap {
	uint32_t kind, ctx;
	const char *what, *text;
	uint64_t deadline_ns;
	uint32_t request, size;
	uint64_t a, b, c, answer;
	uint64_t held_ns; /* of an answer: for how long the host held the CPU */
	uint32_t owner; /* who has the lock that is waited for: its number plus one; 0: nobody known */
	uint32_t preempt_off, bh_off, irqs_off, held;
};

/* What the guest did to others meanwhile, in order; the binding drains it after every trap. */
enum vx_note_kind {
	VX_STARTED, VX_WOKEN, VX_LOG,
	VX_PUBLISHED, /* a: relid, b: type and flags, c: transaction id, d: bytes, text: the payload */
	VX_FUNCTION_SEEN, /* a: domain << 16 | bus << 8 | devfn, b: configuration space, text: BARs */
	VX_HAPPENED, /* a: which event, by the shim's list; numbers and words: its fields */
	VX_POWERED_ON, /* whoever waits for that may be waited for again */
	VX_CPU_DEAD, VX_CPU_TAKEN_OVER, VX_CPU_STARTS, /* a: the CPU */
};

#define VX_NUMBERS_MAX 8

struct vx_note {
	uint32_t kind, ctx;
	uint64_t a, b, c, d;
	union {
		char text[320]; /* RESOURCES_ASSIGNED2 has 202 bytes */
		struct {
			uint64_t numbers[VX_NUMBERS_MAX];
			char words[256]; /* separated by tabs */
		};
	};
};

#define VX_NOTES_MAX 4096

struct vx_shared { /* one block that both sides of the binding read and write */
	uint64_t now_ns;
	uint32_t crowded; /* whether a point could change anything */
	uint32_t notes_count;
	uint32_t cpus;
	uint32_t faults; /* which the other side is to be asked about */
	uint32_t quiet; /* nobody reads what is printed */
	uint32_t found_outside; /* while no context ran: `what` and `text` of the trap say it */
	uint32_t vp_of_cpu[VX_CPUS_MAX];
	struct vx_trap trap;
	struct vx_note notes[VX_NOTES_MAX];
};

#define VX_CONTEXTS_MAX 16384

struct vx_pool { /* of stacks: they outlive runs */
	uint32_t made, given;
};

extern struct vx_pool vx_pool;
extern struct vx_shared vx_shared VX_EXPORT;
extern struct vx_ctx *vx_current;
extern bool vx_telling; /* of a finding: what that touches is not looked at */
extern uint32_t vx_resumes; /* how often a context was resumed in this run */

/*
 * The library's memcpy and memset are the guest's, which look at what they touch; these do not.
 */
static inline void vx_copy(void *to, const void *from, size_t size)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

static inline void vx_fill(void *to, int value, size_t size)
{
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
}

/* --- contexts: core/sched.c --- */
struct vx_ctx *vx_start(enum vx_kind kind, unsigned cpu, const char *title,
			void (*entry)(void *), void *argument);
void vx_resume(uint32_t id) VX_EXPORT;
void vx_move(uint32_t id, uint32_t cpu) VX_EXPORT; /* the CPU that it was on has gone */
void vx_point(const char *verb, const void *object);
void vx_point_named(const char *verb, const char *name);
bool vx_park(struct vx_queue *queue, const char *why, uint64_t deadline_ns);
bool vx_wake_one(struct vx_queue *queue);
void vx_wake_all(struct vx_queue *queue);
void vx_wake(struct vx_ctx *ctx);
uint64_t vx_ask(enum vx_request request, uint64_t a, uint64_t b, uint64_t c, unsigned size);
void vx_finding(const char *kind, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));
void vx_queue_init(struct vx_queue *queue, const char *name);

/* --- what is found while no context runs: core/door.c --- */
struct vx_door { /* where a call from the other side is left from its midst; on that call's stack */
	void *way[5]; /* as __builtin_setjmp() has them */
	struct vx_door *outer;
};

void vx_open_door(struct vx_door *door);
void vx_shut_door(struct vx_door *door);
void vx_leave_by_door(void) __attribute__((noreturn));

/*
 * At the head of a function that the other side calls and that may find something: it returns then,
 * with vx_shared.found_outside set. In a context it changes nothing.
 */
#define VX_DOOR                                                                                \
	struct vx_door door __attribute__((cleanup(vx_shut_door)));                           \
	vx_open_door(&door);                                                                  \
	if (__builtin_setjmp(door.way))                                                       \
		return

/* --- stacks: core/stacks.c --- */
#define VX_STACK_BYTES (64u << 10) /* a kernel stack is 16 KiB; printing needs more */
#ifndef VX_STACKS_BASE
#define VX_STACKS_BASE 0x180000000000ull
#endif
char *vx_take_stack(void);
void vx_object_begins(const void *address, const char *name);
void vx_object_used(const void *address);
void vx_frame_holds_objects(const void *low, const void *high, const void *function);
void vx_check_stack_access(const void *address, bool write);
struct vx_ctx *vx_context(uint32_t number);
bool vx_is_guard(const void *address);
extern unsigned vx_stack_objects; /* how many objects on stacks are watched */

static inline bool vx_on_a_stack(const void *address)
{
	return (uintptr_t)address - VX_STACKS_BASE < (uint64_t)vx_pool.given * VX_STACK_BYTES;
}

/* A function returns whose frame lies between these two addresses: called for every one. */
static inline void vx_frame_ends(const void *low, const void *high, const void *function)
{
	if (vx_stack_objects)
		vx_frame_holds_objects(low, high, function);
}

/* --- watched functions: core/watch.c --- */
struct vx_watched { /* one call; on the stack of who calls. watch_x86_64.S knows where what is */
	struct vx_watched *outer; /* of the same context */
	const struct vx_watch *what;
	uint64_t arguments[6];
	uint64_t result; /* once it has returned */
	const void *body;
	uint64_t reserved[3];
	uint64_t kept[5]; /* whoever watches keeps here what it likes; zeroes at first */
};

struct vx_watch { /* any of its functions may be NULL; none of them may trap */
	const char *function;
	void (*enter)(struct vx_watched *call);
	void (*look)(struct vx_watched *call); /* while it is under way, whenever others may see */
	void (*leave)(struct vx_watched *call);
	void (*inner)(struct vx_watched *call, const struct vx_watched *inner); /* which has ended */
};

/* VX_WATCH(hv_pci_probe, .leave = told_end); the linker gathers them. */
#define VX_WATCH(name, ...)                                                                    \
	static const struct vx_watch watch_##name = { .function = #name, __VA_ARGS__ };       \
	static const struct vx_watch *const entry_##name                                      \
		__attribute__((section("vx_watches"), used)) = &watch_##name
void vx_look(void);
struct vx_watched *vx_within(struct vx_watched *call, const char *function);
/* --- who called: core/calls.c --- */
#define VX_TRAIL 6 /* callers that are remembered of what may have to be told much later */
#define VX_CALLS_MAX 32
struct vx_trail {
	int32_t calls[VX_TRAIL]; /* from vx_resume() on, so that they are alike in every process; 0: none */
};
void vx_remember_calls(struct vx_trail *trail, const void *caller);
void vx_tell_calls(const char *what, const struct vx_trail *trail);
void vx_interrupted_at(const void *code, const void *frame);

/* --- what is named and nowhere: core/stubs.c --- */
int vx_shut_stubs(void);
const char *vx_stub_at(const void *address);

/* --- what takes too long: core/watchdog.c --- */
#define VX_STEPS_MAX 20000000u /* accesses and calls between two traps; a boot has some 100000 */
extern uint32_t vx_steps_left;
void vx_never_ends(void);
void vx_watch_on(void);

/* --- what the shim does at a switch --- */
void vx_shim_switched_in(struct vx_ctx *ctx);
void vx_shim_switching_out(struct vx_ctx *ctx);
void vx_shim_depths(struct vx_trap *trap);

/* --- notes: core/notes.c --- */
struct vx_note *vx_note(enum vx_note_kind kind, struct vx_ctx *ctx);
void vx_log(const char *text);
const char *vx_last_logged(void);

/* --- names of objects and functions: core/names.c --- */
void vx_name_object(const void *object, const char *name);
void vx_forget_names(void);
const char *vx_object_name(const void *object);
const char *vx_function_name(const void *function);
const void *vx_next_function(const void *after);
const void *vx_function_named(const char *name, const void *after);

/* --- memory: core/arena.c --- */
#ifndef VX_ARENA_BASE
#define VX_ARENA_BASE 0x100000000000ull /* page frame numbers fit, nothing else lives there */
#endif
#define VX_ARENA_BYTES (64u << 20)
#ifndef VX_VMEMMAP
#define VX_VMEMMAP 0x200000000000ull
#endif
#define VX_PAGES_BASE (VX_VMEMMAP + (VX_ARENA_BASE >> 12) * 64)
void *vx_alloc(size_t size, size_t align, const void *caller);
void vx_free_for(void *object, const void *caller);
static inline void vx_free(void *object)
{
	vx_free_for(object, __builtin_return_address(0));
}

void vx_is_root(const void *object);
size_t vx_size_of(const void *object);
bool vx_is_of(const void *address, uintptr_t low, uintptr_t high); /* allocated by this code */
bool vx_is_apart(const void *address);
void vx_describe(const void *address, char *text, size_t size);
bool vx_is_live(const void *object);
const void *vx_page_behind(uintptr_t address);
struct vx_object { /* that is allocated */
	const char *address;
	size_t size;
	const void *allocated_by;
	bool is_root;
};
uint32_t vx_objects_made(void);
int64_t vx_next_object(int64_t after, struct vx_object *object);
int64_t vx_object_around(uintptr_t address);
void *vx_alias_pages(void *const *pages, unsigned count); /* one range of addresses for pages */
void vx_unalias(void *address);
bool vx_readable(const void *address, size_t size);

enum vx_shade { VX_NOTHING, VX_LIVE, VX_FREED, VX_REDZONE }; /* of eight bytes of the arena */

extern uint8_t *vx_shadow;
void vx_tell_of(const void *address, size_t size, bool write);
void vx_check_elsewhere(const void *address, size_t size, bool write);

extern uintptr_t vx_ours_low, vx_ours_high; /* the shared object itself */

static inline bool vx_is_ours(const void *address)
{
	return (uintptr_t)address - vx_ours_low < vx_ours_high - vx_ours_low;
}

/* Whether memory with these shades is the guest's: from the first to the last. */
static inline bool vx_is_all_live(const uint8_t *shade, const uint8_t *last)
{
	for (; last - shade >= 7; shade += 8) {
		uint64_t eight;

		__builtin_memcpy(&eight, shade, sizeof(eight));
		if (eight != VX_LIVE * 0x0101010101010101ull)
			return false;
	}
	for (; shade <= last; shade++)
		if (*shade != VX_LIVE)
			return false;
	return true;
}

/* Whether an access by the guest is to memory it may touch; called before every one. */
static inline void vx_check_access(const void *address, size_t size, bool write)
{
	uintptr_t offset = (uintptr_t)address - VX_ARENA_BASE;

	if (!vx_steps_left--)
		vx_never_ends();
	if (offset < VX_ARENA_BYTES) {
		if (!vx_is_all_live(vx_shadow + offset / 8, vx_shadow + (offset + size - 1) / 8))
			vx_tell_of(address, size, write);
	} else if (vx_on_a_stack(address)) {
		vx_check_stack_access(address, write);
	} else if (!vx_is_ours(address)) {
		vx_check_elsewhere(address, size, write);
	}
}

/* --- data races: core/races.c --- */
enum vx_access_flag { VX_WRITE = 1, VX_MARKED = 2, VX_TORN = 4 };

extern uint32_t vx_races; /* whether they are looked for in this run */
void vx_race_access(const void *address, size_t size, uint32_t flags, const void *code);
void vx_race_acquire(const void *object);
void vx_race_release(const void *object);
void vx_race_starts(struct vx_ctx *ctx);
void vx_race_allocated(const void *object, size_t size, const void *caller);
void vx_race_settle(void);
void vx_race_quiet(int change);
void vx_race_reset(void);

/* An access of the guest's, before it is made. */
static inline void vx_access(const void *address, size_t size, uint32_t flags, const void *code)
{
	vx_check_access(address, size, flags & VX_WRITE);
	if (vx_races)
		vx_race_access(address, size, flags, code);
}

/* What was done before somebody else's release of the object is before what comes now. */
static inline void vx_acquire(const void *object)
{
	if (vx_races)
		vx_race_acquire(object);
}

static inline void vx_release(const void *object)
{
	if (vx_races)
		vx_race_release(object);
}

/* All operations on the object come one after the other, by a lock inside of it. */
static inline void vx_order(const void *object)
{
	vx_acquire(object);
	vx_release(object);
}

#endif
