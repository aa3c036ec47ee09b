/* SPDX-License-Identifier: MIT */
/*
 * What the files of the engine share: it plays whole schedules without crossing into Python, as long
 * as everything outside of the guest (host, actors) does what it is remembered to have done. Mirrors
 * sim/engine.py, sim/timekeeper.py and guest/kernel/cpu.py, and gives up where those would raise.
 */
#ifndef VX_ENGINE_H
#define VX_ENGINE_H

#include "vx.h"

#define VX_RUNNERS_MAX (VX_CONTEXTS_MAX + 4096)
#define VX_NO_CPU 0xffff

enum vx_sort { VX_OF_GUEST, VX_OUTSIDE, VX_ACTION };

struct vx_runner { /* what may go on: a context of the guest or from outside, or an act of the host */
	uint8_t sort, kind;
	bool ready, done, armed;
	uint16_t cpu;
	uint32_t number; /* within its sort, as they came */
	uint32_t name; /* equal for equal names: see vx_name_of() */
	uint64_t title; /* a digest of it */
	uint32_t nth; /* of that title */
	uint32_t stop; /* the step that ended at its last stop */
	uint32_t preempt_off, bh_off, irqs_off, held;
	uint64_t latest_ns, busy_since_ns; /* VX_NEVER: it does not keep its CPU busy */
	uint64_t seq; /* of its deadline */
	struct vx_runner *joiner;
	const char *verb; /* where it is stopped, */
	const char *about; /* and what it is about to touch there, by name */
	uint64_t thing; /* or by address; neither: nothing */
};

struct vx_cpu {
	const struct vx_runner *hardirq;
	struct vx_runner *softirq, *thread;
	struct vx_runner *pending[64]; /* softirqs in the order they were raised */
	unsigned pending_count;
};

/* Where a run cannot go on in C: what it met is not remembered, or is for Python to tell. */
enum vx_outcome { VX_PLAYED, VX_UNKNOWN };

/* --- core/runners.c --- */
extern struct vx_runner vx_runners[VX_RUNNERS_MAX];
extern struct vx_runner *vx_ready[VX_RUNNERS_MAX], *vx_on;
extern uint32_t vx_ready_count, vx_runners_count;
extern bool vx_crowded;
void vx_runners_reset(void);
struct vx_runner *vx_runner_of(enum vx_sort sort, uint32_t number);
struct vx_runner *vx_add_runner(enum vx_sort sort, enum vx_kind kind, unsigned cpu, const char *title,
				size_t length);
uint32_t vx_name_of(const char *name);
void vx_make_ready(struct vx_runner *runner);
void vx_unready(struct vx_runner *runner);
void vx_place(const struct vx_runner *runner, char *text, size_t size); /* where it is stopped */
void vx_wake_runner(struct vx_runner *runner);
bool vx_allows(const struct vx_runner *runner);
void vx_switch_to(struct vx_runner *runner);
void vx_leave_cpu(struct vx_runner *runner);
bool vx_cpu_is_online(unsigned cpu);
void vx_cpu_dies(unsigned cpu);
void vx_cpu_is_taken_over(unsigned cpu);
void vx_cpu_starts(unsigned cpu);

/* --- core/clock.c --- */
extern uint64_t vx_now_ns;
extern uint32_t vx_steps, vx_progress_step;
void vx_clock_reset(uint32_t lates);
void vx_arm(struct vx_runner *runner, uint64_t at_ns);
void vx_disarm(struct vx_runner *runner);
void vx_clock_changed(void); /* an act is no longer waited for */
bool vx_may_be_late(void);
bool vx_be_late(void);
bool vx_pass(void);
extern bool vx_gave_up; /* only Python can say what has become of this run */

/* --- core/choose.c --- */
struct vx_stop_plan { /* where a context is stopped, for the how-manieth time */
	const char *name, *point;
	uint32_t occurrence, unused;
};

enum vx_until { VX_UNTIL_IDLE, VX_UNTIL_LATE, VX_UNTIL_STEPS, VX_UNTIL_ENDED, VX_UNTIL_REACHED };

struct vx_delay_plan {
	struct vx_stop_plan stop, until;
	uint32_t kind, number;
};

struct vx_weight {
	const char *name;
	uint64_t count;
};

struct vx_parent {
	const char *name, *parent;
};

struct vx_surw_plan {
	const char *thing; /* "": everything */
	const struct vx_weight *weights; /* interesting events of a context and of whom it starts */
	const struct vx_parent *parents;
	uint32_t weights_count, parents_count;
};

struct vx_sleeper { /* a step that need not be taken again: between which points, at which stop */
	const char *context, *before, *after;
	uint32_t stop, cpu;
};

struct vx_orders_plan {
	const uint8_t *decisions;
	const struct vx_sleeper *sleepers;
	uint32_t decisions_count, sleepers_count;
};

struct vx_plan {
	uint32_t kind, depth, choices, decisions_count, delays_count, faults_count;
	uint64_t seed, late_window, fault_window;
	const uint16_t *decisions;
	const struct vx_delay_plan *delays;
	const struct vx_stop_plan *faults; /* a fault's name, what it hits, for the how-manieth time */
	const struct vx_surw_plan *surw;
	const struct vx_orders_plan *orders;
};

void vx_chooser_reset(const struct vx_plan *plan);
uint32_t vx_choose(struct vx_runner *const *options, uint32_t count, bool may_be_late);
uint32_t vx_choose_fault(const char *fault, const char *at); /* 1: it happens now */

uint64_t vx_below(uint64_t bound); /* the next random number */
uint64_t vx_thing(const char *name); /* an object that points touch */
uint64_t vx_touched(const char *point);
uint64_t vx_touches(const struct vx_runner *runner);

/* --- core/surw.c --- */
void vx_surw_reset(const struct vx_surw_plan *plan);
uint32_t vx_pick_surw(struct vx_runner *const *options, uint32_t runnable);

/* --- core/orders.c --- */
struct vx_trunk { /* a run from which others branch off */
	const uint8_t *decisions, *widths; /* a width for each decision that was not planned */
	const uint32_t *forks; /* place, how many sleep, who, how many are skipped, which options */
	const struct vx_sleeper *sleepers;
	uint32_t decisions_count, widths_count, forks_count, sleepers_count;
};

bool vx_orders_reset(const struct vx_orders_plan *plan);
uint32_t vx_pick_order(struct vx_runner *const *options, uint32_t count, bool may_be_late);
void vx_orders_end(void);

/* --- core/delays.c --- */
bool vx_delays_reset(const struct vx_plan *plan);
uint32_t vx_strike(const char *fault, const char *at);
uint32_t vx_pick_around(struct vx_runner *const *options, uint32_t count, bool may_be_late);
uint32_t vx_delay_lasted(void); /* for how many choices the first one held its context */

/* --- core/known.c --- */
struct vx_effects {
	const uint8_t *bytes;
	uint32_t size;
};

enum vx_heard { VX_HEARD, VX_CONTRADICTED, VX_UNHEARD, VX_NEW };

#define VX_ANYWHERE UINT64_MAX /* an input of which nobody outside takes notice: every state stays */

struct vx_learnt { /* what an input did, which state it led to, and what happened */
	const uint8_t *key, *effects, *events;
	uint32_t key_size, effects_size, events_size;
	uint64_t to, told; /* to 0: a state that nothing but this leads to */
};

struct vx_came { /* an input in which something happened, by its number, and when it came */
	uint64_t at_ns;
	uint32_t number, unused;
};

void vx_known_restart(void);
bool vx_step_known(const uint8_t *key, uint32_t size, struct vx_effects *effects);
enum vx_heard vx_heard_before(const uint8_t *key, uint32_t size, const uint8_t *effects,
			      uint32_t effects_size);
bool vx_learn(const struct vx_learnt *what);
uint64_t vx_by_history(const uint8_t *key, uint32_t size);
uint64_t vx_known_stream(void);
uint32_t vx_known_latest(void);

/* --- core/inputs.c --- */
enum vx_input_kind {
	VX_IN_RESUME, VX_IN_ACTION, VX_IN_ASK, VX_IN_NOTE, VX_IN_ENDED, VX_IN_END,
	VX_IN_CHOSEN, VX_IN_TIME, /* what another one waited for in its midst; its rest comes of them */
};

extern uint64_t vx_times; /* a digest of when everything came in */
void vx_inputs_reset(void);
void vx_watch_window(uint64_t address, uint32_t size);
void vx_key_begin(enum vx_input_kind kind, uint32_t number, uint64_t now_ns,
		  const struct vx_runner *who);
bool vx_key_ask(const struct vx_trap *trap);
bool vx_key_note(const struct vx_note *note);
void vx_key_windows(void);
void vx_key_end(void);
void vx_key_bytes(const void *bytes, uint32_t size);
bool vx_key_known(struct vx_effects *effects);

/* --- core/effects.c: what an input does, a byte that says which and then its numbers, packed --- */
enum vx_does {
	VX_DOES_ANSWER, /* u64, u64 nanoseconds for which the CPU is held */
	VX_DOES_OUTPUT, /* u16 size, bytes: of a hypercall */
	VX_DOES_MESSAGE, /* u16 CPU, u16 size, bytes */
	VX_DOES_EVENT, /* u16 CPU, u32 flag */
	VX_DOES_VECTOR, /* u16 CPU, u32 vector */
	VX_DOES_START, /* u8 kind, u16 CPU, u16 size, title: a context from outside */
	VX_DOES_WAKE, /* u32 its number */
	VX_DOES_WAKE_AT, /* u32 its number, u64 nanoseconds from now */
	VX_DOES_LATER, /* u64 earliest, u64 latest from now, u16 size, label */
	VX_DOES_CALL_OFF, /* u32 which of the acts to come it is, as they were announced */
	VX_DOES_SHELL, /* struct vx_shell_call, then title and text */
	VX_DOES_JOIN, /* u8 sort, u32 number, u32 number of who waits for its end */
	VX_DOES_WINDOW, /* u64 address, u32 size */
	VX_DOES_WRITE, /* u64 address, u16 size, bytes */
	VX_DOES_PROGRESS,
	VX_DOES_LOOK, /* alone: another key follows, what the host can see of the rings */
	VX_DOES_STOP, /* u8 enum vx_trap_kind, u16 size, where: of the context that was resumed */
	VX_DOES_CHOOSE, /* u16 size, u16 size, a fault's name, what it hits: whether it happens */
	VX_DOES_TELL_TIME,
};

enum vx_waits_for { VX_NOTHING_MORE, VX_CHOICE, VX_TIME };

struct vx_rest { /* what the effects applied last wait for in their midst */
	enum vx_waits_for waits_for;
	const char *fault, *at; /* of the choice */
};

extern struct vx_rest vx_rest;

struct vx_shell_call {
	uint32_t cpu, verb, devfn, title_size, text_size;
	uint64_t a, b;
	uint8_t instance[16];
} __attribute__((packed));

bool vx_apply(struct vx_effects effects, struct vx_runner *resumed, struct vx_trap *trap);
void vx_effects_reset(void);
struct vx_runner *vx_shell_runner(uint32_t number);
bool vx_is_shell(const struct vx_runner *runner);
uint32_t vx_act_begins(const struct vx_runner *act); /* which of the acts to come it was */

/* --- core/engine.c --- */
bool vx_drain_notes(void);

uint64_t vx_digest(const void *bytes, size_t size);
uint64_t vx_arena_digest(void); /* of what lives in the arena: how much, allocated by whom */

#endif
