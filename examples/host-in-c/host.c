/* SPDX-License-Identifier: MIT */
/*
 * A minimal vPCI host at the peer port: offers one channel with one function, and answers what a
 * guest asks until it leaves. What the function itself does is in device.c.
 *
 *	host [SOCKET]		over standard input and output without one
 *
 * It never has anything to do but to answer, so that it is done with a frame when it asks for the
 * next. Where nothing binds a host, it does what Linux gets on with.
 */
#include <string.h>

#include "host.h"

#define CHANNEL		1
#define SERIAL		1

enum phase { CLOSED, OPEN, AGREED };

static struct port port;
static enum phase phase;		/* of the channel */
static int offered;
static int assigned;			/* the function's resources are */
static uint32_t version;

/* A request, as far as we read it. */
union message {
	uint32_t type;
	struct vpci_child child;
	struct vpci_version version;
	struct vpci_d0_entry d0_entry;
	struct vpci_create create;
	struct vpci_create2 create2;
	struct vpci_create3 create3;
	struct vpci_delete delete;
};

/* How many bytes each has at least. */
static const struct {
	enum vpci_type type;
	size_t bytes;
} known[] = {
	{ QUERY_PROTOCOL_VERSION, sizeof(struct vpci_version) },
	{ QUERY_BUS_RELATIONS, sizeof(uint32_t) },
	{ QUERY_RESOURCE_REQUIREMENTS, sizeof(struct vpci_child) },
	{ BUS_D0ENTRY, sizeof(struct vpci_d0_entry) },
	{ BUS_D0EXIT, sizeof(uint32_t) },
	{ RESOURCES_ASSIGNED, ASSIGNED_BYTES },
	{ RESOURCES_ASSIGNED2, ASSIGNED2_BYTES },
	{ RESOURCES_RELEASED, sizeof(struct vpci_child) },
	{ CREATE_INTERRUPT_MESSAGE, sizeof(struct vpci_create) },
	{ CREATE_INTERRUPT_MESSAGE2, CREATE2_BYTES },
	{ CREATE_INTERRUPT_MESSAGE3, CREATE3_BYTES },
	{ DELETE_INTERRUPT_MESSAGE, sizeof(struct vpci_delete) },
	{ EJECTION_COMPLETE, sizeof(struct vpci_child) },
};

/* What is said of a request: a status, and with success more behind it. */
struct reply {
	size_t length;
	union {
		uint32_t status;
		struct vpci_requirements requirements;
		struct vpci_created created;
	};
};

static void tell(const void *message, size_t length)
{
	port_send_packet(&port, CHANNEL, PACKET_INBAND, 0, 0, message, length);
}

/* --- the bus --- */

static uint32_t agree(uint32_t wanted)
{
	if (phase != OPEN)
		return STATUS_INVALID_DEVICE_STATE;
	if (wanted < VPCI_1_1 || wanted > VPCI_1_4)
		return STATUS_REVISION_MISMATCH;	/* it asks for another one, then */
	version = wanted;
	phase = AGREED;
	return STATUS_SUCCESS;
}

/* The list of all functions that there are: one, or none after an eject. */
static void send_relations(void)
{
	struct {
		struct vpci_relations head;
		struct vpci_function function;
	} message = {
		.head = {
			.type = version < VPCI_1_3 ? BUS_RELATIONS : BUS_RELATIONS2,
			.count = function.present,
		},
		.function = {
			.vendor = VENDOR,
			.device = DEVICE,
			.class = { 0x01, 0x00, 0x00, 0x02 },
			.subsystem = VENDOR,
			.slot = WSLOT,
			.serial = SERIAL,
		},
	};
	size_t each = version < VPCI_1_3 ? FUNCTION_BYTES : FUNCTION2_BYTES;

	tell(&message, sizeof(message.head) + (function.present ? each : 0));
}

static uint32_t enter_d0(uint64_t window)
{
	if (function.powered)
		return STATUS_INVALID_DEVICE_STATE;
	function.window = window;
	function.powered = 1;
	return STATUS_SUCCESS;
}

static void release(void)
{
	assigned = 0;
	delete_all_interrupts();
}

static void leave_d0(void)
{
	function.powered = 0;
	release();
}

/* --- the channel --- */

static void offer(void)
{
	struct port_offer message = { .channel = CHANNEL };

	memcpy(message.instance, instance, sizeof(message.instance));
	offered = 1;
	port_send(&port, PORT_OFFER, &message, sizeof(message));
}

static void rescind(void)
{
	struct port_channel message = { CHANNEL };

	offered = 0;
	leave_d0();
	port_send(&port, PORT_RESCIND, &message, sizeof(message));
}

static void open_channel(void)
{
	struct port_opened answer = { .channel = CHANNEL };

	if (phase != CLOSED || !offered)
		answer.status = STATUS_UNSUCCESSFUL;
	else
		phase = OPEN;
	port_send(&port, PORT_OPENED, &answer, sizeof(answer));
}

static void close_channel(void)
{
	phase = CLOSED;
	leave_d0();
	reset_function();
}

/* --- packets --- */

static void create(uint32_t vector, uint32_t count, uint32_t processor, struct reply *reply)
{
	reply->length = sizeof(reply->created);
	if (!assigned || !create_interrupt(vector, count, processor, &reply->created.desc))
		reply->status = STATUS_UNSUCCESSFUL;
}

static void function_message(const union message *message, struct reply *reply)
{
	switch (message->type) {
	case QUERY_RESOURCE_REQUIREMENTS:
		reply->requirements.bars[0] = ~(BAR_BYTES - 1);	/* after all ones */
		reply->length = sizeof(reply->requirements);
		break;
	case RESOURCES_ASSIGNED:
	case RESOURCES_ASSIGNED2:
		assigned = function.powered;
		reply->status = assigned ? STATUS_SUCCESS : STATUS_INVALID_DEVICE_STATE;
		break;
	case RESOURCES_RELEASED:
		release();
		break;
	case CREATE_INTERRUPT_MESSAGE:
		create(message->create.vector, message->create.count,
		       lowest_bit(message->create.processors), reply);
		break;
	case CREATE_INTERRUPT_MESSAGE2:
		create(message->create2.vector, message->create2.count,
		       message->create2.processors[0], reply);
		break;
	case CREATE_INTERRUPT_MESSAGE3:
		create(message->create3.vector, message->create3.count,
		       message->create3.processors[0], reply);
		break;
	case DELETE_INTERRUPT_MESSAGE:
		delete_interrupt(&message->delete.desc);
		break;
	case EJECTION_COMPLETE:
		function.present = 0;
		send_relations();
		rescind();		/* nothing is left that the channel would be for */
		break;
	}
}

static void bus_message(const union message *message, struct reply *reply)
{
	switch (message->type) {
	case QUERY_PROTOCOL_VERSION:
		reply->status = agree(message->version.version);
		break;
	case QUERY_BUS_RELATIONS:
		send_relations();
		break;
	case BUS_D0ENTRY:
		reply->status = enter_d0(message->d0_entry.window);
		break;
	case BUS_D0EXIT:
		leave_d0();
		break;
	default:
		if (message->child.slot == WSLOT && function.present)
			function_message(message, reply);
		else
			reply->status = STATUS_UNSUCCESSFUL;
	}
}

/* Whether a message is one that we know, and is all there. */
static int complete(uint32_t type, size_t length)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].type == type)
			return length >= known[i].bytes;
	return 0;
}

/* Nothing is answered that did not ask for it: with a transaction id, and the flag that says so. */
static void packet(const struct port_packet *packet, const unsigned char *payload, size_t length)
{
	union message message;
	struct reply reply;

	if (packet->type != PACKET_INBAND || length < sizeof(message.type))
		return;
	memset(&reply, 0, sizeof(reply));
	reply.length = sizeof(reply.status);
	memset(&message, 0, sizeof(message));
	memcpy(&message, payload, length < sizeof(message) ? length : sizeof(message));
	if (!complete(message.type, length))
		reply.status = STATUS_UNSUCCESSFUL;
	else if (phase == OPEN && message.type != QUERY_PROTOCOL_VERSION)
		reply.status = STATUS_INVALID_DEVICE_STATE;
	else
		bus_message(&message, &reply);
	if (!(packet->flags & FLAG_COMPLETION_REQUESTED) || !packet->transaction_id)
		return;
	if (FAILED(reply.status))
		reply.length = sizeof(reply.status);
	port_send_packet(&port, CHANNEL, PACKET_COMPLETION, 0, packet->transaction_id,
			 &reply.status, reply.length);
}

/* --- what comes --- */

static enum port_done ordered(const struct port_ordered *order)
{
	struct vpci_child eject = { EJECT, WSLOT };
	struct port_interrupt interrupt;

	switch (order->order) {
	case ORDER_EJECT:
		if (!offered || !assigned || !function.present)
			return DONE_REFUSED;
		tell(&eject, sizeof(eject));
		return DONE_OK;
	case ORDER_RESCIND:
		if (!offered)
			return DONE_REFUSED;
		rescind();
		return DONE_OK;
	case ORDER_REOFFER:		/* the device is back, as it is after power-on */
		if (offered || phase != CLOSED)
			return DONE_REFUSED;
		function.present = 1;
		offer();
		return DONE_OK;
	case ORDER_RAISE_INTERRUPT:	/* words: slot, index */
		if (raise_interrupt((uint32_t)order->words[1], &interrupt))
			port_send(&port, PORT_INTERRUPT, &interrupt, sizeof(interrupt));
		return DONE_OK;
	default:
		return DONE_NOT_SUPPORTED;
	}
}

static void handle(const struct port_frame *frame)
{
	struct port_value value = { .request = frame->mmio.request };

	switch (frame->kind) {
	case PORT_OPEN:
		open_channel();
		break;
	case PORT_CLOSE:
		close_channel();
		break;
	case PORT_PACKET:
		if (phase != CLOSED && offered)
			packet(&frame->packet, frame->bytes + sizeof(frame->packet),
			       frame->length - sizeof(frame->packet));
		break;
	case PORT_MMIO_READ:
		value.value = mmio_read(&frame->mmio);
		port_send(&port, PORT_MMIO_VALUE, &value, sizeof(value));
		break;
	case PORT_MMIO_WRITE:
		mmio_write(&frame->mmio);
		port_send(&port, PORT_MMIO_WRITTEN, &value, sizeof(value.request));
		break;
	case PORT_HYPERCALL:
		value.value = hypercall(&frame->hypercall, frame->length - sizeof(frame->hypercall));
		port_send(&port, PORT_HYPERCALL_DONE, &value, sizeof(value));
		break;
	case PORT_ORDER:
		port_done(&port, frame->order.request, ordered(&frame->order));
		break;
	default:
		break;			/* RELEASED: the number is free, and we have no other */
	}
}

int main(int argc, char **argv)
{
	const uint64_t can = 1ull << ORDER_EJECT | 1ull << ORDER_RESCIND | 1ull << ORDER_REOFFER |
			     1ull << ORDER_RAISE_INTERRUPT;
	static struct port_frame frame;

	reset_function();
	port_begin(&port, PORT_ROLE_HOST, can, "host in C", argc > 1 ? argv[1] : NULL);
	offer();
	for (;;) {
		port_next(&port, &frame);
		handle(&frame);
	}
}
