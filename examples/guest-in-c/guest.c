/* SPDX-License-Identifier: MIT */
/*
 * A minimal vPCI guest at the peer port: brings a bus up as Linux does, has one interrupt made for
 * each function, answers ejects, and leaves D0 when it is told to.
 *
 *	guest [SOCKET]		over standard input and output without one
 *
 * Whatever comes is noted at once, by note(), also while an answer is waited for; it is acted on by
 * work(), when nothing is waited for. So a wait sees what ends it: a rescind, a function that goes.
 */
#include <string.h>

#include "../port-in-c/port.h"
#include "guest.h"

#define BUSES_MAX	16
#define VERSIONS_MAX	8
#define WINDOWS_BASE	0xF8000000u	/* guest-physical space that no memory is in */
#define WINDOW_BYTES	0x2000u
#define REQUEST		1	/* at registers: we wait for each, so that one number will do */

static struct port port;
static struct bus buses[BUSES_MAX];
static uint32_t versions[VERSIONS_MAX] = { VPCI_1_4, VPCI_1_3, VPCI_1_2, VPCI_1_1 };
static size_t version_count = 4;
static struct port_frame ordered;	/* not carried out yet; its kind is 0 without an order */

static struct bus *bus_of(uint32_t channel)
{
	for (struct bus *bus = buses; bus < buses + BUSES_MAX; bus++)
		if (channel && bus->channel == channel)
			return bus;
	return NULL;
}

/* --- what comes --- */

static void note_packet(struct bus *bus, const unsigned char *payload, size_t length)
{
	struct vpci_child message;

	if (length < sizeof(message))
		return;
	memcpy(&message, payload, sizeof(message));
	if (message.type == BUS_RELATIONS || message.type == BUS_RELATIONS2)
		note_list(bus, payload, length);
	if (message.type == EJECT)
		note_eject(bus, message.slot);
}

static void note_offer(const struct port_offer *offer)
{
	struct bus *bus = buses;

	while (bus < buses + BUSES_MAX && bus->channel)
		bus++;
	if (bus == buses + BUSES_MAX)
		port_fail(&port, "too many channels");
	*bus = (struct bus){
		.channel = offer->channel,
		.fresh = 1,
		.window = WINDOWS_BASE + (uint64_t)(bus - buses) * WINDOW_BYTES,
	};
}

/* One at a time: we may be busy with a bus, or with the last one. */
static void note_order(const struct port_frame *frame)
{
	if (ordered.kind)
		port_done(&port, frame->order.request, DONE_REFUSED);
	else
		memcpy(&ordered, frame, sizeof(ordered));
}

static void note(const struct port_frame *frame)
{
	struct bus *bus;

	switch (frame->kind) {
	case PORT_OFFER:
		note_offer(&frame->offer);
		break;
	case PORT_RESCIND:
		bus = bus_of(frame->channel.channel);
		if (bus)
			bus->gone = 1;
		break;
	case PORT_PACKET:
		bus = bus_of(frame->packet.channel);
		if (bus && bus->open && frame->packet.type == PACKET_INBAND)
			note_packet(bus, frame->bytes + sizeof(frame->packet),
				    frame->length - sizeof(frame->packet));
		break;
	case PORT_ORDER:
		note_order(frame);
		break;
	default:
		break;			/* interrupts: there is no driver that waits for one */
	}
}

/* --- asking --- */

/* The frame that answers at the border: a register, an opening. Its first word is @first, too. */
static const struct port_frame *border_answer(enum port_kind kind, uint32_t first)
{
	static struct port_frame frame;

	for (;;) {
		port_next(&port, &frame);
		if (frame.kind == kind && frame.channel.channel == first)
			return &frame;
		note(&frame);
	}
}

uint64_t mmio_read(uint64_t gpa, uint32_t size)
{
	struct port_mmio access = { REQUEST, size, gpa, 0 };

	port_send(&port, PORT_MMIO_READ, &access, offsetof(struct port_mmio, value));
	return border_answer(PORT_MMIO_VALUE, REQUEST)->value.value;
}

void mmio_write(uint64_t gpa, uint32_t size, uint64_t value)
{
	struct port_mmio access = { REQUEST, size, gpa, value };

	port_send(&port, PORT_MMIO_WRITE, &access, sizeof(access));
	border_answer(PORT_MMIO_WRITTEN, REQUEST);
}

/* Send what nobody answers. */
void tell(struct bus *bus, const void *message, size_t length)
{
	if (!bus->gone)
		port_send_packet(&port, bus->channel, PACKET_INBAND, 0, 0, message, length);
}

/* Whether a frame completes the request with that id. */
static int completes(const struct port_frame *frame, const struct bus *bus, uint64_t id)
{
	return frame->kind == PORT_PACKET && frame->packet.channel == bus->channel &&
	       frame->packet.type == PACKET_COMPLETION && frame->packet.transaction_id == id;
}

/*
 * Send a request about @function, or NULL, and wait for its completion. Returns the status; with
 * success, @answer has @room bytes of the completion, and a shorter one is no success. Nobody
 * answers on a channel that has gone, and nobody has to about a function that has: the wait ends
 * with it, and an answer that comes late finds nobody.
 */
uint32_t ask(struct bus *bus, const struct function *function, const void *message, size_t length,
	     void *answer, size_t room)
{
	static struct port_frame frame;
	static uint64_t last_id;
	const uint64_t id = ++last_id;
	const unsigned char *payload = frame.bytes + sizeof(frame.packet);
	uint32_t status;

	if (bus->gone)
		return STATUS_UNSUCCESSFUL;
	port_send_packet(&port, bus->channel, PACKET_INBAND, FLAG_COMPLETION_REQUESTED, id, message,
			 length);
	do {
		if (bus->gone || (function && function->state == GONE))
			return STATUS_UNSUCCESSFUL;
		port_next(&port, &frame);
		note(&frame);		/* completions are nothing to note */
	} while (!completes(&frame, bus, id));
	if (frame.length < sizeof(frame.packet) + sizeof(status))
		return STATUS_UNSUCCESSFUL;
	memcpy(&status, payload, sizeof(status));
	if (FAILED(status))
		return status;
	if (frame.length < sizeof(frame.packet) + room)
		return STATUS_UNSUCCESSFUL;
	if (room)
		memcpy(answer, payload, room);
	return status;
}

/* --- the bus --- */

static int open_channel(struct bus *bus)
{
	struct port_channel message = { bus->channel };

	port_send(&port, PORT_OPEN, &message, sizeof(message));
	bus->open = !border_answer(PORT_OPENED, bus->channel)->opened.status;
	return bus->open;
}

static void close_channel(struct bus *bus)
{
	struct port_channel message = { bus->channel };

	if (bus->open)
		port_send(&port, PORT_CLOSE, &message, sizeof(message));
	bus->open = bus->in_d0 = 0;
}

/* Ask for one version after another, the highest first, until the host has it. */
static int negotiate(struct bus *bus, const uint32_t *offered, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct vpci_version message = { QUERY_PROTOCOL_VERSION, offered[i] };
		uint32_t status = ask(bus, NULL, &message, sizeof(message), NULL, 0);

		if (!FAILED(status)) {
			bus->version = offered[i];
			return 1;
		}
		if (status != STATUS_REVISION_MISMATCH)
			break;
	}
	return 0;
}

/* Ask for the list, and wait for one: it comes as a message of its own, not as a completion. */
static int query_relations(struct bus *bus)
{
	static struct port_frame frame;
	uint32_t message = QUERY_BUS_RELATIONS;

	bus->listed = 0;
	tell(bus, &message, sizeof(message));
	while (!bus->gone && !bus->listed) {
		port_next(&port, &frame);
		note(&frame);
	}
	return bus->listed;
}

static void exit_d0(struct bus *bus)
{
	uint32_t message = BUS_D0EXIT;

	ask(bus, NULL, &message, sizeof(message), NULL, 0);
	bus->in_d0 = 0;
}

/* A host that refuses may have the bus in D0 for somebody before us: leave it and try again. */
static int enter_d0(struct bus *bus)
{
	struct vpci_d0_entry message = { .type = BUS_D0ENTRY, .window = bus->window };

	bus->in_d0 = !FAILED(ask(bus, NULL, &message, sizeof(message), NULL, 0));
	if (!bus->in_d0 && !bus->gone) {
		release_all(bus);
		exit_d0(bus);
		bus->in_d0 = !FAILED(ask(bus, NULL, &message, sizeof(message), NULL, 0));
	}
	return bus->in_d0;
}

static int bring_up(struct bus *bus, const uint32_t *offered, size_t count)
{
	bus->fresh = 0;
	if (!open_channel(bus))
		return 0;
	if (negotiate(bus, offered, count) && query_relations(bus) && advance(bus) &&
	    enter_d0(bus) && advance(bus))
		return 1;
	if (bus->in_d0) {
		release_all(bus);
		exit_d0(bus);
	}
	if (!bus->gone)
		close_channel(bus);
	return 0;
}

static void rescinded(struct bus *bus)
{
	struct port_channel message = { bus->channel };

	close_channel(bus);
	port_send(&port, PORT_RELEASED, &message, sizeof(message));
	bus->channel = 0;
}

/* --- orders --- */

static enum port_done suspend(struct bus *bus)
{
	if (!bus->in_d0)
		return DONE_REFUSED;
	release_all(bus);
	exit_d0(bus);
	close_channel(bus);
	return DONE_OK;
}

static enum port_done resume(struct bus *bus)
{
	if (bus->open || !bus->version)
		return DONE_REFUSED;
	return bring_up(bus, &bus->version, 1) ? DONE_OK : DONE_FAILED;
}

/* Linux forgets its functions first, so that none is released before D0 is left. */
static enum port_done remove_bus(struct bus *bus)
{
	delete_interrupts(bus);
	if (bus->in_d0)
		exit_d0(bus);
	close_channel(bus);
	bus->channel = 0;
	return DONE_OK;
}

static enum port_done offer_versions(const uint64_t *words, size_t count)
{
	if (!count || count > VERSIONS_MAX)
		return DONE_REFUSED;
	for (version_count = 0; version_count < count; version_count++)
		versions[version_count] = (uint32_t)words[version_count];
	return DONE_OK;
}

/* Words: slot, block, bytes. */
static enum port_done read_block(struct bus *bus, const uint64_t *words, size_t count)
{
	struct vpci_block message = {
		READ_BLOCK, (uint32_t)words[1], (uint32_t)words[0], (uint32_t)words[2],
	};

	if (count != 3 || !message.bytes || message.bytes > BLOCK_BYTES_MAX)
		return DONE_REFUSED;
	return ask(bus, NULL, &message, sizeof(message), NULL, 0) ? DONE_FAILED : DONE_OK;
}

/* Words: slot, block, and a byte each. */
static enum port_done write_block(struct bus *bus, const uint64_t *words, size_t count)
{
	struct {
		struct vpci_block head;
		uint8_t data[BLOCK_BYTES_MAX + BLOCK_QUIRK_BYTES];
	} message = {
		.head = {
			WRITE_BLOCK, (uint32_t)words[1], (uint32_t)words[0], (uint32_t)count - 2,
		},
	};
	size_t length = sizeof(message.head) + message.head.bytes + BLOCK_QUIRK_BYTES;

	if (count < 3 || count > 2 + BLOCK_BYTES_MAX)
		return DONE_REFUSED;
	for (size_t i = 2; i < count; i++)
		message.data[i - 2] = (uint8_t)words[i];
	return ask(bus, NULL, &message, length, NULL, 0) ? DONE_FAILED : DONE_OK;
}

static enum port_done carry_out(const struct port_ordered *order, size_t length)
{
	size_t count = (length - offsetof(struct port_ordered, words)) / sizeof(order->words[0]);
	struct bus *bus = bus_of(order->channel);

	if (order->order == ORDER_OFFER_VERSIONS)
		return offer_versions(order->words, count);
	if (!bus)
		return DONE_REFUSED;
	switch (order->order) {
	case ORDER_SUSPEND:
		return suspend(bus);
	case ORDER_RESUME:
		return resume(bus);
	case ORDER_REMOVE:
		return remove_bus(bus);
	case ORDER_READ_BLOCK:
		return read_block(bus, order->words, count);
	case ORDER_WRITE_BLOCK:
		return write_block(bus, order->words, count);
	default:
		return DONE_NOT_SUPPORTED;
	}
}

/* --- what there is to do --- */

/* Act on one thing that has been noted. Returns 0 if there is none. */
static int work(void)
{
	for (struct bus *bus = buses; bus < buses + BUSES_MAX; bus++) {
		if (!bus->channel || !(bus->gone || bus->fresh || (bus->open && bus->news)))
			continue;
		if (bus->gone)
			rescinded(bus);
		else if (bus->fresh)
			bring_up(bus, versions, version_count);
		else
			advance(bus);
		return 1;
	}
	if (!ordered.kind)
		return 0;
	port_done(&port, ordered.order.request, carry_out(&ordered.order, ordered.length));
	ordered.kind = 0;
	return 1;
}

int main(int argc, char **argv)
{
	const uint64_t can = 1ull << ORDER_OFFER_VERSIONS | 1ull << ORDER_SUSPEND |
			     1ull << ORDER_RESUME | 1ull << ORDER_REMOVE |
			     1ull << ORDER_READ_BLOCK | 1ull << ORDER_WRITE_BLOCK;
	static struct port_frame frame;

	port_begin(&port, PORT_ROLE_GUEST, can, "guest in C", argc > 1 ? argv[1] : NULL);
	for (;;) {
		if (work())
			continue;
		port_next(&port, &frame);
		note(&frame);
	}
}
