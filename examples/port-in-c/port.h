/* SPDX-License-Identifier: MIT */
/*
 * The peer port in C: frames over two file descriptors. docs/peer-port.md describes them.
 *
 * Knows no vPCI message. Integers are little-endian and the structures have no holes, so that a
 * frame's body can be copied into its structure on a little-endian machine.
 */
#ifndef PORT_H
#define PORT_H

#include <stddef.h>
#include <stdint.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "bodies are copied as they are");

#define PORT_MAGIC		0x50435056u	/* "VPCP" */
#define PORT_VERSION		1
#define PORT_ROLE_HOST		1
#define PORT_ROLE_GUEST		2
#define PORT_PAYLOAD_MAX	16384
#define PORT_BODY_MAX		(16 + PORT_PAYLOAD_MAX)

enum port_kind {
	PORT_HELLO = 1,
	PORT_PING = 2,
	PORT_PONG = 3,
	PORT_ERROR = 4,
	PORT_BYE = 5,
	PORT_OFFER = 16,
	PORT_RESCIND = 17,
	PORT_OPEN = 18,
	PORT_OPENED = 19,
	PORT_CLOSE = 20,
	PORT_RELEASED = 21,
	PORT_PACKET = 22,
	PORT_MMIO_READ = 32,
	PORT_MMIO_VALUE = 33,
	PORT_MMIO_WRITE = 34,
	PORT_MMIO_WRITTEN = 35,
	PORT_HYPERCALL = 36,
	PORT_HYPERCALL_DONE = 37,
	PORT_INTERRUPT = 38,
	PORT_ORDER = 48,
	PORT_DONE = 49,
};

enum port_order {
	ORDER_EJECT = 1,
	ORDER_RESCIND = 2,
	ORDER_REOFFER = 4,
	ORDER_RAISE_INTERRUPT = 8,
	ORDER_OFFER_VERSIONS = 32,
	ORDER_SUSPEND = 33,
	ORDER_RESUME = 34,
	ORDER_REMOVE = 35,
	ORDER_READ_BLOCK = 43,
	ORDER_WRITE_BLOCK = 44,
};

enum port_done {
	DONE_OK = 0,
	DONE_NOT_SUPPORTED = 1,
	DONE_REFUSED = 2,
	DONE_FAILED = 3,
};

struct port_header {
	uint32_t length;		/* of the body */
	uint32_t kind;
};

struct port_hello {
	uint32_t magic;
	uint16_t version;
	uint16_t role;
	uint32_t flags;
	uint32_t vps;
	uint64_t orders;		/* bit n: order n can be given */
	char name[16];			/* up to 64 bytes may be sent */
};

struct port_channel {			/* RESCIND, OPEN, CLOSE, RELEASED */
	uint32_t channel;
};

struct port_offer {
	uint32_t channel;
	uint32_t reserved;
	uint8_t instance[16];
};

struct port_opened {
	uint32_t channel;
	uint32_t status;
};

struct port_packet {
	uint32_t channel;
	uint16_t type;
	uint16_t flags;
	uint64_t transaction_id;
	/* the payload follows */
};

struct port_mmio {			/* MMIO_READ without the value, MMIO_WRITE with it */
	uint32_t request;
	uint32_t size;
	uint64_t gpa;
	uint64_t value;
};

struct port_value {			/* MMIO_VALUE, HYPERCALL_DONE; MMIO_WRITTEN is the request */
	uint32_t request;
	uint32_t reserved;
	uint64_t value;
};

struct port_hypercall {
	uint32_t request;
	uint32_t vp;
	uint64_t control;
	/* the input follows */
};

struct port_interrupt {
	uint32_t vp;
	uint32_t vector;
};

struct port_ordered {
	uint32_t request;
	uint32_t order;
	uint32_t channel;
	uint32_t reserved;
	uint64_t words[132];		/* as many as the body has: a block, and what precedes it */
};

struct port_finished {			/* DONE; a text may follow */
	uint32_t request;
	uint32_t status;
};

struct port_frame {
	uint32_t kind;
	uint32_t length;
	union {
		uint8_t bytes[PORT_BODY_MAX];
		struct port_hello hello;
		struct port_channel channel;
		struct port_offer offer;
		struct port_opened opened;
		struct port_packet packet;
		struct port_mmio mmio;
		struct port_value value;
		struct port_hypercall hypercall;
		struct port_interrupt interrupt;
		struct port_ordered order;
	};
};

struct port {
	int in;
	int out;
};

void port_send(struct port *port, enum port_kind kind, const void *body, size_t length);
void port_send_packet(struct port *port, uint32_t channel, uint16_t type, uint16_t flags,
		      uint64_t transaction_id, const void *payload, size_t length);
void port_done(struct port *port, uint32_t request, enum port_done status);

/*
 * Wait for the next frame. Whoever calls this has done everything that came before: so a PING is
 * answered here, and nowhere else. Does not return when the other side has gone.
 */
void port_next(struct port *port, struct port_frame *frame);

/* Say who we are and hear who is there; over standard input and output, or a socket's path. */
void port_begin(struct port *port, uint16_t role, uint64_t orders, const char *name,
		const char *path);

_Noreturn void port_fail(struct port *port, const char *why);

#endif
