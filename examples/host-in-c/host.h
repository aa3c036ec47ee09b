/* SPDX-License-Identifier: MIT */
/*
 * What the host's two files share: host.c is the bus and its messages, device.c the one function.
 */
#ifndef HOST_H
#define HOST_H

#include <stddef.h>
#include <stdint.h>

#include "../port-in-c/port.h"
#include "../port-in-c/vpci.h"

#define WSLOT		0
#define VENDOR		0x1234
#define DEVICE		0x0001
#define BAR_BYTES	4096u
#define VECTORS		4
#define PROCESSORS	64

/* How the function is: host.c says it, device.c goes by it. */
struct function {
	int present;			/* on the bus, and not given up */
	int powered;			/* the bus is in D0 */
	uint64_t window;		/* where the guest wants to see configuration space */
};

extern struct function function;
extern const uint8_t instance[16];	/* the GUID that it is offered by */

/* device.c */
void reset_function(void);
uint64_t mmio_read(const struct port_mmio *access);
void mmio_write(const struct port_mmio *access);

int create_interrupt(uint32_t vector, uint32_t count, uint32_t processor,
		     struct vpci_message_desc *desc);
void delete_interrupt(const struct vpci_message_desc *desc);
void delete_all_interrupts(void);
int raise_interrupt(uint32_t index, struct port_interrupt *interrupt);

uint64_t hypercall(const struct port_hypercall *call, size_t length);
uint32_t lowest_bit(uint64_t mask);

#endif
