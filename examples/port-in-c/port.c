/* SPDX-License-Identifier: MIT */
/*
 * The peer port in C: reads and writes frames. Knows no vPCI message.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "port.h"

static void write_all(struct port *port, const void *data, size_t length)
{
	const char *at = data;

	while (length) {
		ssize_t written = write(port->out, at, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			exit(EXIT_FAILURE);	/* nobody is there any more */
		at += written;
		length -= (size_t)written;
	}
}

/* Returns 0 at the end of the connection. */
static int read_all(struct port *port, void *data, size_t length)
{
	char *at = data;

	while (length) {
		ssize_t got = read(port->in, at, length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return 0;
		at += got;
		length -= (size_t)got;
	}
	return 1;
}

void port_send(struct port *port, enum port_kind kind, const void *body, size_t length)
{
	struct port_header header = { .length = (uint32_t)length, .kind = kind };

	write_all(port, &header, sizeof(header));
	write_all(port, body, length);
}

void port_send_packet(struct port *port, uint32_t channel, uint16_t type, uint16_t flags,
		      uint64_t transaction_id, const void *payload, size_t length)
{
	struct port_packet packet = {
		.channel = channel,
		.type = type,
		.flags = flags,
		.transaction_id = transaction_id,
	};
	struct port_header header = {
		.length = (uint32_t)(sizeof(packet) + length),
		.kind = PORT_PACKET,
	};

	write_all(port, &header, sizeof(header));
	write_all(port, &packet, sizeof(packet));
	write_all(port, payload, length);
}

void port_done(struct port *port, uint32_t request, enum port_done status)
{
	struct port_finished done = { .request = request, .status = status };

	port_send(port, PORT_DONE, &done, sizeof(done));
}

/* How many bytes a body has at least, where somebody here reads it. */
static const uint32_t least_bytes[] = {
	[PORT_HELLO] = offsetof(struct port_hello, name),
	[PORT_OFFER] = sizeof(struct port_offer),
	[PORT_RESCIND] = sizeof(struct port_channel),
	[PORT_OPEN] = sizeof(struct port_channel),
	[PORT_OPENED] = sizeof(struct port_opened),
	[PORT_CLOSE] = sizeof(struct port_channel),
	[PORT_PACKET] = sizeof(struct port_packet),
	[PORT_MMIO_READ] = offsetof(struct port_mmio, value),
	[PORT_MMIO_VALUE] = sizeof(struct port_value),
	[PORT_MMIO_WRITE] = sizeof(struct port_mmio),
	[PORT_MMIO_WRITTEN] = sizeof(uint32_t),
	[PORT_HYPERCALL] = sizeof(struct port_hypercall),
	[PORT_ORDER] = offsetof(struct port_ordered, words),
};

static void read_frame(struct port *port, struct port_frame *frame)
{
	struct port_header header;

	if (!read_all(port, &header, sizeof(header)))
		exit(EXIT_SUCCESS);
	if (header.length > PORT_BODY_MAX)
		port_fail(port, "a frame is too long");
	if (header.kind < sizeof(least_bytes) / sizeof(least_bytes[0]) &&
	    header.length < least_bytes[header.kind])
		port_fail(port, "a frame is too short");
	memset(frame->bytes, 0, sizeof(struct port_ordered));	/* words that an order leaves out */
	frame->kind = header.kind;
	frame->length = header.length;
	if (!read_all(port, frame->bytes, header.length))
		exit(EXIT_FAILURE);
}

void port_next(struct port *port, struct port_frame *frame)
{
	for (;;) {
		read_frame(port, frame);
		switch (frame->kind) {
		case PORT_PING:
			port_send(port, PORT_PONG, frame->bytes, frame->length);
			break;
		case PORT_BYE:
			exit(EXIT_SUCCESS);
		case PORT_ERROR:
			fprintf(stderr, "%.*s\n", (int)frame->length, (char *)frame->bytes);
			exit(EXIT_FAILURE);
		default:
			return;
		}
	}
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int end = socket(AF_UNIX, SOCK_STREAM, 0);

	if (strlen(path) >= sizeof(address.sun_path)) {
		fprintf(stderr, "%s: too long for a socket\n", path);
		exit(EXIT_FAILURE);
	}
	strcpy(address.sun_path, path);
	if (end < 0 || connect(end, (struct sockaddr *)&address, sizeof(address))) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	return end;
}

void port_begin(struct port *port, uint16_t role, uint64_t orders, const char *name,
		const char *path)
{
	struct port_hello hello = {
		.magic = PORT_MAGIC,
		.version = PORT_VERSION,
		.role = role,
		.orders = orders,
	};
	struct port_frame theirs;

	port->in = path ? connect_to(path) : STDIN_FILENO;
	port->out = path ? port->in : STDOUT_FILENO;
	memcpy(hello.name, name, strnlen(name, sizeof(hello.name)));
	port_send(port, PORT_HELLO, &hello,
		  offsetof(struct port_hello, name) + strnlen(name, sizeof(hello.name)));
	port_next(port, &theirs);
	if (theirs.kind != PORT_HELLO || theirs.hello.magic != PORT_MAGIC ||
	    theirs.hello.version != PORT_VERSION || theirs.hello.role == role)
		port_fail(port, "the first frame is no HELLO for us");
}

void port_fail(struct port *port, const char *why)
{
	port_send(port, PORT_ERROR, why, strlen(why));
	exit(EXIT_FAILURE);
}
