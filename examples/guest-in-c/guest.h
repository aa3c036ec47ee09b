/* SPDX-License-Identifier: MIT */
/*
 * What the guest's two files share: guest.c is the life of a bus, device.c of its functions.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stddef.h>
#include <stdint.h>

#include "../port-in-c/vpci.h"

#define BARS		6
#define LISTED_MAX	32	/* the slots of one bus */
#define FUNCTIONS_MAX	(2 * LISTED_MAX)	/* those that go, and those that come instead */

enum state { NOBODY, PRESENT, GONE };	/* gone: the host's list no longer names it */

struct function {
	enum state state;
	uint32_t slot;
	uint32_t serial;
	int listed;			/* by the list that is being read */
	int ejected;			/* the host wants it back */
	int surveyed;			/* what it needs has been asked for */
	int assigned;			/* the host knows that its resources are */
	int has_interrupt;
	struct vpci_message_desc interrupt;
	uint32_t needs[BARS];		/* each BAR as it reads after all ones */
	uint64_t bars[BARS];		/* where they were put, 0 for none */
};

struct bus {
	uint32_t channel;		/* 0: this one is free */
	int fresh;			/* offered, and not tried yet */
	int open;
	int in_d0;
	int gone;			/* rescinded */
	int listed;			/* a list has come since we asked for one */
	int news;			/* functions have come or have to go */
	uint32_t version;		/* agreed, 0 before */
	uint64_t window;		/* where it shows configuration space */
	struct function function[FUNCTIONS_MAX];
};

/* guest.c: to speak with the host */
void tell(struct bus *bus, const void *message, size_t length);
uint32_t ask(struct bus *bus, const struct function *function, const void *message, size_t length,
	     void *answer, size_t room);
uint64_t mmio_read(uint64_t gpa, uint32_t size);
void mmio_write(uint64_t gpa, uint32_t size, uint64_t value);

/* device.c: what befalls a bus's functions */
void note_list(struct bus *bus, const unsigned char *payload, size_t length);
void note_eject(struct bus *bus, uint32_t slot);
int advance(struct bus *bus);
void release_all(struct bus *bus);
void delete_interrupts(struct bus *bus);

#endif
