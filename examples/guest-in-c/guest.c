/* SPDX-License-Identifier: MIT */
/*
 * A minimal vPCI guest at the peer port: brings a bus up as Linux does, places each function's
 * BARs, creates one interrupt for it, answers ejects, and leaves D0 when it is told to.
 *
 *	guest [SOCKET]		over standard input and output without one
 *
 * Everything waits in one place, next_frame(): while an answer is waited for, what else comes is
 * put aside, and handled when the program is back in its main loop.
 */
#include <stdlib.h>
#include <string.h>

#include "../port-in-c/port.h"
#include "../port-in-c/vpci.h"

#define CHANNELS_MAX	16
#define FUNCTIONS_MAX	32	/* the slots of one bus */
#define VERSIONS_MAX	8
#define ASIDE_MAX	128
#define WINDOWS_BASE	0xF8000000u	/* guest-physical space that no memory is in */
#define WINDOW_BYTES	0x2000u
#define NARROW_BARS	0xC0000000u	/* the same, for BARs of 32 bits */
#define WIDE_BARS	0x10000000000u	/* and of 64 */
#define FIRST_VECTOR	0x30

#define PCI_COMMAND		0x04
#define PCI_COMMAND_ON		0x06	/* memory, bus master */
#define PCI_BAR			0x10
#define PCI_CAPABILITIES	0x34
#define PCI_MSI			0x05
#define PCI_MSIX		0x11

struct function {
	uint32_t slot;
	uint32_t serial;
	int queried;			/* its requirements are known */
	int assigned;			/* the host knows that its resources are */
	int has_interrupt;
	struct vpci_message_desc interrupt;
	uint32_t needs[6];		/* each BAR as it reads after all ones */
	uint64_t bars[6];		/* where they were put, 0 for none */
};

struct bus {
	uint32_t channel;		/* 0: this one is free */
	int open;
	int gone;			/* rescinded */
	int in_d0;
	uint32_t version;		/* agreed, 0 before */
	uint64_t window;
	unsigned int functions;
	struct function function[FUNCTIONS_MAX];
};

static struct port port;
static struct bus buses[CHANNELS_MAX];
static uint32_t versions[VERSIONS_MAX] = { VPCI_1_4, VPCI_1_3, VPCI_1_2, VPCI_1_1 };
static unsigned int version_count = 4;
static uint64_t narrow_bars = NARROW_BARS;	/* what is below is taken */
static uint64_t wide_bars = WIDE_BARS;
static uint32_t last_request;
static uint64_t last_transaction;

static struct port_frame *aside[ASIDE_MAX];	/* oldest first */
static unsigned int aside_count;

static struct bus *bus_of(uint32_t channel)
{
	for (unsigned int i = 0; i < CHANNELS_MAX; i++)
		if (buses[i].channel == channel)
			return &buses[i];
	return NULL;
}

/* --- waiting --- */

static void put_aside(const struct port_frame *frame)
{
	struct port_frame *copy = malloc(sizeof(*copy));

	if (!copy || aside_count == ASIDE_MAX)
		port_fail(&port, "too much at once");
	memcpy(copy, frame, sizeof(*copy));
	aside[aside_count++] = copy;
}

/* From the main loop only: what was put aside comes first. */
static void next_frame(struct port_frame *frame)
{
	if (!aside_count) {
		port_next(&port, frame);
		return;
	}
	memcpy(frame, aside[0], sizeof(*frame));
	free(aside[0]);
	aside_count--;
	memmove(aside, aside + 1, aside_count * sizeof(aside[0]));
}

/* A rescind counts at once, for whoever waits for an answer on that channel. */
static void notice(const struct port_frame *frame)
{
	struct bus *bus;

	if (frame->kind != PORT_RESCIND)
		return;
	bus = bus_of(frame->channel.channel);
	if (bus)
		bus->gone = 1;
}

/* Wait for the frame that answers a request at the border: a register, an opening. */
static void wait_for(enum port_kind kind, uint32_t request, struct port_frame *frame)
{
	for (;;) {
		port_next(&port, frame);
		if (frame->kind == kind && frame->channel.channel == request)
			return;		/* request and channel are both the body's first word */
		notice(frame);
		put_aside(frame);
	}
}

/*
 * Send a request and wait for its completion. Returns the completion's status; the host's answer
 * is copied to @answer as far as there is one. A channel that goes meanwhile answers nothing.
 */
static uint32_t ask(struct bus *bus, const void *message, size_t length, void *answer, size_t room)
{
	static struct port_frame frame;
	uint64_t id = ++last_transaction;
	uint32_t status;
	size_t got;

	if (bus->gone)
		return STATUS_UNSUCCESSFUL;
	port_send_packet(&port, bus->channel, PACKET_INBAND, FLAG_COMPLETION_REQUESTED, id, message,
			 length);
	for (;;) {
		port_next(&port, &frame);
		if (frame.kind == PORT_PACKET && frame.packet.channel == bus->channel &&
		    frame.packet.type == PACKET_COMPLETION && frame.packet.transaction_id == id)
			break;
		notice(&frame);
		put_aside(&frame);
		if (bus->gone)
			return STATUS_UNSUCCESSFUL;
	}
	got = frame.length - sizeof(frame.packet);
	if (got < sizeof(status))
		return STATUS_UNSUCCESSFUL;
	memcpy(&status, frame.bytes + sizeof(frame.packet), sizeof(status));
	if (answer && got < room && !FAILED(status))
		return STATUS_UNSUCCESSFUL;	/* shorter than it has to be */
	if (answer)
		memcpy(answer, frame.bytes + sizeof(frame.packet), got < room ? got : room);
	return status;
}

static void tell(struct bus *bus, const void *message, size_t length)
{
	if (!bus->gone)
		port_send_packet(&port, bus->channel, PACKET_INBAND, 0, 0, message, length);
}

/* --- configuration space --- */

static uint64_t mmio_read(uint64_t gpa, uint32_t size)
{
	static struct port_frame frame;
	struct port_mmio access = { .request = ++last_request, .size = size, .gpa = gpa };

	port_send(&port, PORT_MMIO_READ, &access, offsetof(struct port_mmio, value));
	wait_for(PORT_MMIO_VALUE, access.request, &frame);
	return frame.value.value;
}

static void mmio_write(uint64_t gpa, uint32_t size, uint64_t value)
{
	static struct port_frame frame;
	struct port_mmio access = {
		.request = ++last_request,
		.size = size,
		.gpa = gpa,
		.value = value,
	};

	port_send(&port, PORT_MMIO_WRITE, &access, sizeof(access));
	wait_for(PORT_MMIO_WRITTEN, access.request, &frame);
}

static uint32_t config_read(struct bus *bus, uint32_t slot, uint32_t offset, uint32_t size)
{
	mmio_write(bus->window, 4, slot);
	return (uint32_t)mmio_read(bus->window + CONFIG_OFFSET + offset, size);
}

static void config_write(struct bus *bus, uint32_t slot, uint32_t offset, uint32_t size,
			 uint32_t value)
{
	mmio_write(bus->window, 4, slot);
	mmio_write(bus->window + CONFIG_OFFSET + offset, size, value);
}

/* The offset of a capability, 0 if there is none. A list that goes in circles ends, too. */
static uint32_t capability(struct bus *bus, uint32_t slot, uint32_t wanted)
{
	uint32_t at = config_read(bus, slot, PCI_CAPABILITIES, 1);

	for (int i = 0; at && i < 48; i++) {
		uint32_t head = config_read(bus, slot, at, 2);

		if ((head & 0xFF) == wanted)
			return at;
		at = head >> 8;
	}
	return 0;
}

/* Give the function's BARs addresses of their own, and let it decode them. */
static void place_bars(struct bus *bus, struct function *function)
{
	config_write(bus, function->slot, PCI_COMMAND, 2, 0);
	for (unsigned int i = 0; i < 6; i++) {
		int wide = (function->needs[i] & 6) == 4 && i < 5;
		uint64_t mask = function->needs[i] & ~0xFu;
		uint64_t *next = wide ? &wide_bars : &narrow_bars;
		uint64_t size;

		if (!mask || function->needs[i] & 1)
			continue;
		mask |= wide ? (uint64_t)function->needs[i + 1] << 32 : ~0ull << 32;
		size = ~mask + 1;
		if (!function->bars[i]) {
			function->bars[i] = (*next + size - 1) & ~(size - 1);
			*next = function->bars[i] + size;
		}
		config_write(bus, function->slot, PCI_BAR + 4 * i, 4, (uint32_t)function->bars[i]);
		if (!wide)
			continue;
		config_write(bus, function->slot, PCI_BAR + 4 * i + 4, 4,
			     (uint32_t)(function->bars[i] >> 32));
		i++;			/* two registers were one BAR */
	}
	config_write(bus, function->slot, PCI_COMMAND, 2, PCI_COMMAND_ON);
}

/* --- interrupts --- */

/* One vector, for processor 0. What the message looks like is what a version is about. */
static uint32_t create_message(struct bus *bus, uint32_t slot, struct vpci_created *created)
{
	if (bus->version == VPCI_1_1) {
		struct vpci_create create = {
			.type = CREATE_INTERRUPT_MESSAGE,
			.slot = slot,
			.vector = FIRST_VECTOR,
			.count = 1,
			.processors = 1,
		};

		return ask(bus, &create, sizeof(create), created, sizeof(*created));
	}
	if (bus->version < VPCI_1_4) {
		struct vpci_create2 create = {
			.type = CREATE_INTERRUPT_MESSAGE2,
			.slot = slot,
			.vector = FIRST_VECTOR,
			.count = 1,
			.processor_count = 1,
		};

		return ask(bus, &create, CREATE2_BYTES, created, sizeof(*created));
	}
	struct vpci_create3 create = {
		.type = CREATE_INTERRUPT_MESSAGE3,
		.slot = slot,
		.vector = FIRST_VECTOR,
		.count = 1,
		.processor_count = 1,
	};

	return ask(bus, &create, CREATE3_BYTES, created, sizeof(*created));
}

/* Tell the device what to write: the first entry of its MSI-X table. 0 if it has none. */
static int write_msix(struct bus *bus, struct function *function)
{
	const struct vpci_message_desc *message = &function->interrupt;
	uint32_t at = capability(bus, function->slot, PCI_MSIX);
	uint32_t table = at ? config_read(bus, function->slot, at + 4, 4) : 7;
	uint64_t entry;

	if ((table & 7) > 5 || !function->bars[table & 7])
		return 0;
	entry = function->bars[table & 7] + (table & ~7u);
	mmio_write(entry, 4, (uint32_t)message->address);
	mmio_write(entry + 4, 4, message->address >> 32);
	mmio_write(entry + 8, 4, message->data);
	mmio_write(entry + 12, 4, 0);	/* not masked */
	config_write(bus, function->slot, at + 2, 2, 0x8000);
	return 1;
}

static void write_msi(struct bus *bus, struct function *function)
{
	const struct vpci_message_desc *message = &function->interrupt;
	uint32_t at = capability(bus, function->slot, PCI_MSI);
	uint32_t wide;

	if (!at)
		return;
	wide = config_read(bus, function->slot, at + 2, 2) & 0x80;
	config_write(bus, function->slot, at + 4, 4, (uint32_t)message->address);
	if (wide)
		config_write(bus, function->slot, at + 8, 4, message->address >> 32);
	config_write(bus, function->slot, at + (wide ? 12 : 8), 2, message->data);
	config_write(bus, function->slot, at + 2, 2, 1);
}

static void create_interrupt(struct bus *bus, struct function *function)
{
	struct vpci_created created;

	if (FAILED(create_message(bus, function->slot, &created)))
		return;
	function->interrupt = created.desc;
	function->has_interrupt = 1;
	if (!write_msix(bus, function))
		write_msi(bus, function);
}

static void delete_interrupt(struct bus *bus, struct function *function)
{
	struct vpci_delete message = {
		.type = DELETE_INTERRUPT_MESSAGE,
		.slot = function->slot,
		.desc = function->interrupt,
	};

	if (function->has_interrupt)
		tell(bus, &message, sizeof(message));	/* nothing comes back */
	function->has_interrupt = 0;
}

/* --- functions --- */

static struct function *function_at(struct bus *bus, uint32_t slot)
{
	for (unsigned int i = 0; i < bus->functions; i++)
		if (bus->function[i].slot == slot)
			return &bus->function[i];
	return NULL;
}

/* Move the host on: until then it creates no interrupt. */
static int assign(struct bus *bus, struct function *function)
{
	unsigned char message[ASSIGNED2_BYTES] = { 0 };
	int old = bus->version == VPCI_1_1;
	struct vpci_child head = {
		.type = old ? RESOURCES_ASSIGNED : RESOURCES_ASSIGNED2,
		.slot = function->slot,
	};

	memcpy(message, &head, sizeof(head));
	return !FAILED(ask(bus, message, old ? ASSIGNED_BYTES : ASSIGNED2_BYTES, NULL, 0));
}

/*
 * Bring functions as far as the bus is: what they need before D0, the rest in it. Returns 0 if the
 * host refuses to take a function's resources for assigned.
 */
static int advance(struct bus *bus)
{
	for (unsigned int i = 0; i < bus->functions; i++) {
		struct function *function = &bus->function[i];
		struct vpci_child query = {
			.type = QUERY_RESOURCE_REQUIREMENTS,
			.slot = function->slot,
		};
		struct vpci_requirements needs;

		if (function->queried)
			continue;
		function->queried = 1;
		if (!FAILED(ask(bus, &query, sizeof(query), &needs, sizeof(needs))))
			memcpy(function->needs, needs.bars, sizeof(needs.bars));
	}
	for (unsigned int i = 0; bus->in_d0 && i < bus->functions; i++) {
		if (!bus->function[i].assigned)
			bus->function[i].assigned = assign(bus, &bus->function[i]);
		if (!bus->function[i].assigned)
			return 0;
	}
	for (unsigned int i = 0; bus->in_d0 && i < bus->functions; i++) {
		struct function *function = &bus->function[i];

		if (!function->assigned || function->has_interrupt || bus->gone ||
		    (config_read(bus, function->slot, 0, 4) & 0xFFFF) == 0xFFFF)
			continue;
		place_bars(bus, function);
		create_interrupt(bus, function);
	}
	return 1;
}

static int by_slot(const void *one, const void *other)
{
	const struct function *a = one, *b = other;

	return (a->slot > b->slot) - (a->slot < b->slot);
}

/*
 * A list of all functions that the bus has now. A function that it does not name has been taken
 * away; one that has another serial number is another one.
 */
static void take_relations(struct bus *bus, const unsigned char *payload, size_t length)
{
	struct function before[FUNCTIONS_MAX];
	unsigned int had = bus->functions;
	struct vpci_relations relations;
	size_t each;

	memcpy(&relations, payload, sizeof(relations));
	each = relations.type == BUS_RELATIONS ? FUNCTION_BYTES : FUNCTION2_BYTES;
	if (relations.count > FUNCTIONS_MAX || length < sizeof(relations) + relations.count * each)
		return;			/* never trust the host */
	memcpy(before, bus->function, sizeof(before));
	bus->functions = 0;
	for (uint32_t i = 0; i < relations.count; i++) {
		struct function *function = &bus->function[bus->functions++];
		struct vpci_function listed;

		memcpy(&listed, payload + sizeof(relations) + i * each, FUNCTION_BYTES);
		*function = (struct function){ .slot = listed.slot, .serial = listed.serial };
		for (unsigned int j = 0; j < had; j++) {
			if (before[j].slot != listed.slot || before[j].serial != listed.serial)
				continue;
			*function = before[j];
			before[j].has_interrupt = 0;	/* it goes on with the function */
		}
	}
	for (unsigned int j = 0; j < had; j++)
		delete_interrupt(bus, &before[j]);
	qsort(bus->function, bus->functions, sizeof(bus->function[0]), by_slot);
}

static void eject(struct bus *bus, uint32_t slot)
{
	struct vpci_ejected answer = { .type = EJECTION_COMPLETE, .slot = slot };
	struct function *function = function_at(bus, slot);

	if (!function)
		return;			/* it was never ours to give up */
	delete_interrupt(bus, function);
	*function = bus->function[--bus->functions];
	qsort(bus->function, bus->functions, sizeof(bus->function[0]), by_slot);
	tell(bus, &answer, sizeof(answer));	/* from here on the host may take it away */
}

/* --- the bus --- */

static int is_relations(const struct port_frame *frame, const struct bus *bus)
{
	uint32_t type;

	if (frame->kind != PORT_PACKET || frame->packet.channel != bus->channel ||
	    frame->packet.type != PACKET_INBAND ||
	    frame->length < sizeof(frame->packet) + sizeof(struct vpci_relations))
		return 0;
	memcpy(&type, frame->bytes + sizeof(frame->packet), sizeof(type));
	return type == BUS_RELATIONS || type == BUS_RELATIONS2;
}

static int open_channel(struct bus *bus)
{
	static struct port_frame frame;
	struct port_channel message = { .channel = bus->channel };

	port_send(&port, PORT_OPEN, &message, sizeof(message));
	wait_for(PORT_OPENED, bus->channel, &frame);
	bus->open = !frame.opened.status;
	return bus->open;
}

static void close_channel(struct bus *bus)
{
	struct port_channel message = { .channel = bus->channel };

	if (bus->open)
		port_send(&port, PORT_CLOSE, &message, sizeof(message));
	bus->open = 0;
	bus->in_d0 = 0;
}

/* Ask for one version after another, the highest first, until the host has it. */
static int negotiate(struct bus *bus, const uint32_t *offered, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		struct vpci_version query = {
			.type = QUERY_PROTOCOL_VERSION,
			.version = offered[i],
		};
		uint32_t status = ask(bus, &query, sizeof(query), NULL, 0);

		if (!FAILED(status)) {
			bus->version = query.version;
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

	tell(bus, &message, sizeof(message));
	while (!bus->gone) {
		port_next(&port, &frame);
		if (is_relations(&frame, bus)) {
			take_relations(bus, frame.bytes + sizeof(frame.packet),
				       frame.length - sizeof(frame.packet));
			return 1;
		}
		notice(&frame);
		put_aside(&frame);
	}
	return 0;
}

static void exit_d0(struct bus *bus)
{
	uint32_t message = BUS_D0EXIT;

	ask(bus, &message, sizeof(message), NULL, 0);
	bus->in_d0 = 0;
}

static void release_all(struct bus *bus)
{
	for (unsigned int i = bus->functions; i--;) {
		struct vpci_child message = {
			.type = RESOURCES_RELEASED,
			.slot = bus->function[i].slot,
		};

		delete_interrupt(bus, &bus->function[i]);
		ask(bus, &message, sizeof(message), NULL, 0);
		bus->function[i].assigned = 0;
	}
}

/* A host that refuses may still have the bus in D0 for somebody before us: leave it and try again. */
static int enter_d0(struct bus *bus)
{
	struct vpci_d0_entry message = { .type = BUS_D0ENTRY, .window = bus->window };

	bus->in_d0 = !FAILED(ask(bus, &message, sizeof(message), NULL, 0));
	if (!bus->in_d0 && !bus->gone) {
		release_all(bus);
		exit_d0(bus);
		bus->in_d0 = !FAILED(ask(bus, &message, sizeof(message), NULL, 0));
	}
	return bus->in_d0;
}

static int bring_up(struct bus *bus, const uint32_t *offered, unsigned int count)
{
	if (!open_channel(bus))
		return 0;
	if (negotiate(bus, offered, count) && query_relations(bus)) {
		advance(bus);
		if (enter_d0(bus) && advance(bus))
			return 1;
	}
	if (bus->in_d0) {
		release_all(bus);
		exit_d0(bus);
	}
	if (!bus->gone)
		close_channel(bus);
	return 0;
}

static void offered(const struct port_offer *offer)
{
	struct bus *bus = bus_of(0);

	if (!bus)
		port_fail(&port, "too many channels");
	*bus = (struct bus){
		.channel = offer->channel,
		.window = WINDOWS_BASE + (uint64_t)(bus - buses) * WINDOW_BYTES,
	};
	bring_up(bus, versions, version_count);
}

static void rescinded(struct bus *bus)
{
	struct port_channel message = { .channel = bus->channel };

	bus->gone = 1;
	close_channel(bus);
	port_send(&port, PORT_RELEASED, &message, sizeof(message));
	bus->channel = 0;
}

/* --- what comes by itself --- */

static void packet(struct bus *bus, const unsigned char *payload, size_t length)
{
	struct vpci_child message;

	if (length < sizeof(message))
		return;
	memcpy(&message, payload, sizeof(message));
	if (message.type == BUS_RELATIONS || message.type == BUS_RELATIONS2) {
		take_relations(bus, payload, length);
		advance(bus);
	} else if (message.type == EJECT) {
		eject(bus, message.slot);
	}
}

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
	if (bus->open)
		return DONE_REFUSED;
	return bring_up(bus, &bus->version, 1) ? DONE_OK : DONE_FAILED;
}

/* Linux forgets its functions first, so that none is released before D0 is left. */
static enum port_done remove_bus(struct bus *bus)
{
	for (unsigned int i = 0; i < bus->functions; i++)
		delete_interrupt(bus, &bus->function[i]);
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

static enum port_done read_block(struct bus *bus, const uint64_t *words)
{
	struct vpci_block message = {
		.type = READ_BLOCK,
		.block = (uint32_t)words[1],
		.slot = (uint32_t)words[0],
		.bytes = (uint32_t)words[2],
	};

	if (!message.bytes || message.bytes > BLOCK_BYTES_MAX)
		return DONE_REFUSED;
	return ask(bus, &message, sizeof(message), NULL, 0) ? DONE_FAILED : DONE_OK;
}

static enum port_done write_block(struct bus *bus, const uint64_t *words, size_t count)
{
	struct {
		struct vpci_block head;
		uint8_t data[BLOCK_BYTES_MAX + BLOCK_QUIRK_BYTES];
	} message = {
		.head = {
			.type = WRITE_BLOCK,
			.block = (uint32_t)words[1],
			.slot = (uint32_t)words[0],
			.bytes = (uint32_t)count - 2,
		},
	};

	if (count < 3 || count > 2 + BLOCK_BYTES_MAX)
		return DONE_REFUSED;
	for (size_t i = 2; i < count; i++)
		message.data[i - 2] = (uint8_t)words[i];
	return ask(bus, &message, sizeof(message.head) + count - 2 + BLOCK_QUIRK_BYTES, NULL, 0) ?
	       DONE_FAILED : DONE_OK;
}

static enum port_done ordered(const struct port_ordered *order, uint32_t length)
{
	struct bus *bus = order->channel ? bus_of(order->channel) : NULL;
	size_t count = (length - offsetof(struct port_ordered, words)) / sizeof(uint64_t);

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
		return read_block(bus, order->words);
	case ORDER_WRITE_BLOCK:
		return write_block(bus, order->words, count);
	default:
		return DONE_NOT_SUPPORTED;
	}
}

static void handle(const struct port_frame *frame)
{
	/* In most frames the first word is the channel; elsewhere the pointer is not used. */
	struct bus *bus = frame->channel.channel ? bus_of(frame->channel.channel) : NULL;

	switch (frame->kind) {
	case PORT_OFFER:
		offered(&frame->offer);
		break;
	case PORT_RESCIND:
		if (bus)
			rescinded(bus);
		break;
	case PORT_PACKET:
		if (bus && bus->open && frame->packet.type == PACKET_INBAND)
			packet(bus, frame->bytes + sizeof(frame->packet),
			       frame->length - sizeof(frame->packet));
		break;
	case PORT_ORDER:
		port_done(&port, frame->order.request, ordered(&frame->order, frame->length));
		break;
	default:
		break;			/* interrupts: there is no driver that waits for one */
	}
}

int main(int argc, char **argv)
{
	const uint64_t orders = 1ull << ORDER_OFFER_VERSIONS | 1ull << ORDER_SUSPEND |
				1ull << ORDER_RESUME | 1ull << ORDER_REMOVE |
				1ull << ORDER_READ_BLOCK | 1ull << ORDER_WRITE_BLOCK;
	static struct port_frame frame;

	port_begin(&port, PORT_ROLE_GUEST, orders, "guest in C", argc > 1 ? argv[1] : NULL);
	for (;;) {
		next_frame(&frame);
		handle(&frame);
	}
}
