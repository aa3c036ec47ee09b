/* SPDX-License-Identifier: MIT */
/*
 * A minimal vPCI host at the peer port: offers one channel with one function, which has a small
 * configuration space, one page of memory and four vectors, and answers what a guest asks until it
 * leaves. The page is plain memory, and the MSI-X table is in it.
 *
 *	host [SOCKET]		over standard input and output without one
 *
 * It never has anything to do but to answer, so that it is done with a frame when it asks for the
 * next. Where nothing binds a host, it does what Linux gets on with.
 */
#include <string.h>

#include "../port-in-c/port.h"
#include "../port-in-c/vpci.h"

#define CHANNEL		1
#define WSLOT		0
#define SERIAL		1
#define CONFIG_BYTES	4096
#define VECTORS		4
#define INTERRUPTS	8		/* that the hypervisor keeps for us */
#define INTERRUPT_DATA	0x4000		/* what it knows them by: ours to choose */
#define INTERRUPT_ADDRESS	0xFEE00000u
#define PROCESSORS	64

#define COMMAND		0x04
#define COMMAND_MEMORY	0x02
#define BAR0		0x10
#define BAR_BYTES	4096
#define MSIX		0x40		/* capabilities */
#define MSIX_TABLE	0x800		/* in BAR 0 */
#define MSI		0x50

#define HVCALL_RETARGET_INTERRUPT		0x7E
#define HV_STATUS_SUCCESS			0
#define HV_STATUS_INVALID_HYPERCALL_CODE	2
#define HV_STATUS_INVALID_PARAMETER		5
#define TARGET_PROCESSOR_SET			2

struct interrupt {
	int granted;
	uint32_t vector;
	uint32_t processor;
};

enum phase { CLOSED, OPEN, AGREED };

static struct port port;
static const uint8_t instance[16] = { 1, 2, 3, 4, 5, 6, 7, 8 };
static enum phase phase;
static int offered;
static int present = 1;			/* the function is on the bus, and not given up */
static int powered;
static int assigned;
static uint32_t version;
static uint64_t window;
static uint32_t selected;		/* slot, in the first page of the window */
static struct interrupt interrupts[INTERRUPTS];
static uint8_t config[CONFIG_BYTES];
static uint8_t writable[CONFIG_BYTES];
static uint8_t memory[BAR_BYTES];

/* --- configuration space: a network controller --- */

static void set16(unsigned int offset, uint16_t value)
{
	config[offset] = value & 0xFF;
	config[offset + 1] = value >> 8;
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static void reset_function(void)
{
	memset(memory, 0, sizeof(memory));
	memset(config, 0, sizeof(config));
	memset(writable, 0, sizeof(writable));
	set16(0x00, 0x1234);		/* vendor */
	set16(0x02, 0x0001);		/* device */
	writable[COMMAND] = 0x06;	/* memory, bus master */
	writable[COMMAND + 1] = 0x04;	/* no INTx */
	set16(0x06, 0x0010);		/* status: there are capabilities */
	config[0x08] = 0x01;		/* revision */
	config[0x0B] = 0x02;		/* class: network */
	set16(0x2C, 0x1234);		/* subsystem */
	writable[BAR0 + 1] = 0xF0;	/* 4096 bytes, anywhere below 4 GiB */
	writable[BAR0 + 2] = 0xFF;
	writable[BAR0 + 3] = 0xFF;
	config[0x34] = MSIX;		/* the list of capabilities */
	config[MSIX] = 0x11;
	config[MSIX + 1] = MSI;
	set16(MSIX + 2, VECTORS - 1);
	writable[MSIX + 3] = 0xC0;	/* enable, mask all */
	set16(MSIX + 4, MSIX_TABLE);
	set16(MSIX + 8, MSIX_TABLE + 0x100);	/* pending bits, which are never set */
	config[MSI] = 0x05;
	set16(MSI + 2, 0x0084);		/* 64 bits of address, four vectors */
	writable[MSI + 2] = 0x71;
	memset(writable + MSI + 4, 0xFF, 10);
	writable[MSI + 4] = 0xFC;
}

/* Where in our memory an access is, if it is there: decoding has to be on. */
static uint8_t *memory_at(const struct port_mmio *access)
{
	uint64_t offset = access->gpa - (get32(config + BAR0) & ~0xFu);

	if (!powered || !present || !(config[COMMAND] & COMMAND_MEMORY) || offset >= BAR_BYTES ||
	    offset + access->size > BAR_BYTES)
		return NULL;
	return memory + offset;
}

/* Nobody answers for another slot, or for a function that is not there. */
static int answers(void)
{
	return selected == WSLOT && present && powered;
}

static uint64_t mmio_read(const struct port_mmio *access)
{
	uint64_t ones = access->size == 8 ? ~0ull : (1ull << 8 * access->size) - 1;
	uint64_t offset = access->gpa - window - CONFIG_OFFSET;
	const uint8_t *byte = memory_at(access);
	uint64_t value = 0;

	if (byte) {
		memcpy(&value, byte, access->size);
		return value;
	}
	if (!powered || access->gpa < window + CONFIG_OFFSET || !answers() ||
	    offset + access->size > CONFIG_BYTES)
		return ones;
	memcpy(&value, config + offset, access->size);
	return value;
}

static void mmio_write(const struct port_mmio *access)
{
	uint64_t offset = access->gpa - window;
	uint8_t *at = memory_at(access);

	if (at)
		memcpy(at, &access->value, access->size);
	if (at || !powered || access->gpa < window)
		return;
	if (offset == 0 && access->size == 4) {
		selected = (uint32_t)access->value;
		return;
	}
	offset -= CONFIG_OFFSET;
	if (offset >= CONFIG_BYTES || offset + access->size > CONFIG_BYTES || !answers())
		return;
	if (offset >= BAR0 && offset < BAR0 + 4 && config[COMMAND] & COMMAND_MEMORY)
		return;			/* it cannot be moved while it is in use */
	for (uint32_t i = 0; i < access->size; i++) {
		uint8_t may = writable[offset + i];
		uint8_t byte = (uint8_t)(access->value >> 8 * i);

		config[offset + i] = (config[offset + i] & ~may) | (byte & may);
	}
}

/* --- packets --- */

static void tell(const void *message, size_t length)
{
	port_send_packet(&port, CHANNEL, PACKET_INBAND, 0, 0, message, length);
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
			.count = present,
		},
		.function = {
			.vendor = 0x1234,
			.device = 0x0001,
			.class = { 0x01, 0x00, 0x00, 0x02 },
			.subsystem = 0x1234,
			.slot = WSLOT,
			.serial = SERIAL,
		},
	};
	size_t each = version < VPCI_1_3 ? FUNCTION_BYTES : FUNCTION2_BYTES;

	tell(&message, sizeof(message.head) + (present ? each : 0));
}

/* What is to be said of one request. */
struct reply {
	uint32_t status;
	size_t length;			/* of what goes out, the status included */
	union {
		struct vpci_requirements requirements;
		struct vpci_created created;
	};
};

static uint32_t agree(const struct vpci_version *query)
{
	if (phase != OPEN)
		return STATUS_INVALID_DEVICE_STATE;
	if (query->version < VPCI_1_1 || query->version > VPCI_1_4)
		return STATUS_REVISION_MISMATCH;	/* it asks for another one, then */
	version = query->version;
	phase = AGREED;
	return STATUS_SUCCESS;
}

static uint32_t enter_d0(const struct vpci_d0_entry *entry)
{
	if (powered)
		return STATUS_INVALID_DEVICE_STATE;
	window = entry->window;
	powered = 1;
	return STATUS_SUCCESS;
}

static void leave_d0(void)
{
	powered = 0;
	assigned = 0;
	memset(interrupts, 0, sizeof(interrupts));
}

/* A block of interrupts that are free, one after another: the device adds to the data. */
static uint32_t create_interrupt(uint32_t vector, uint32_t count, uint32_t processor,
				 struct vpci_created *created)
{
	uint32_t first = 0;

	if (!count || count > VECTORS || !assigned || processor >= PROCESSORS)
		return STATUS_UNSUCCESSFUL;
	for (uint32_t i = 0; i - first < count; i++) {
		if (i == INTERRUPTS)
			return STATUS_UNSUCCESSFUL;
		if (interrupts[i].granted)
			first = i + 1;
	}
	for (uint32_t i = 0; i < count; i++)
		interrupts[first + i] = (struct interrupt){ 1, vector + i, processor };
	created->desc = (struct vpci_message_desc){
		.count = (uint16_t)count,
		.data = INTERRUPT_DATA + first,
		.address = INTERRUPT_ADDRESS,
	};
	return STATUS_SUCCESS;
}

static uint32_t lowest_bit(uint64_t mask)
{
	uint32_t bit = 0;

	while (bit < PROCESSORS && !(mask >> bit & 1))
		bit++;
	return bit;
}

static struct interrupt *interrupt_of(uint64_t address, uint32_t data)
{
	uint32_t number = data - INTERRUPT_DATA;

	if (address != INTERRUPT_ADDRESS || number >= INTERRUPTS || !interrupts[number].granted)
		return NULL;
	return &interrupts[number];
}

static void delete_interrupt(const struct vpci_message_desc *desc)
{
	for (uint32_t i = 0; i < desc->count && i < INTERRUPTS; i++) {
		struct interrupt *interrupt = interrupt_of(desc->address, desc->data + i);

		if (interrupt)
			interrupt->granted = 0;
	}
}

/* The device raises a vector: it writes its message, and the hypervisor knows whose that is. */
static void raise_interrupt(uint32_t index)
{
	const uint8_t *entry = memory + MSIX_TABLE + 16 * index;
	struct port_interrupt message;
	struct interrupt *interrupt;

	if (!powered || !present || index >= VECTORS)
		return;
	if (config[MSIX + 3] & 0x80)
		interrupt = entry[12] & 1 ? NULL : interrupt_of(get32(entry), get32(entry + 8));
	else if (config[MSI + 2] & 1)
		interrupt = interrupt_of(get32(config + MSI + 4),
					 (get32(config + MSI + 12) & 0xFFFF) + index);
	else
		return;
	if (!interrupt)
		return;
	message.vp = interrupt->processor;
	message.vector = interrupt->vector;
	port_send(&port, PORT_INTERRUPT, &message, sizeof(message));
}

/* What of HVCALL_RETARGET_INTERRUPT's input there is, whichever form the target has. */
struct retarget {
	uint64_t partition;
	uint64_t device;
	uint32_t source;
	uint32_t reserved;
	uint32_t address;
	uint32_t data;
	uint64_t reserved2;
	uint32_t vector;
	uint32_t flags;
	uint64_t mask;			/* of a processor set: its format */
	uint64_t banks;
	uint64_t bank;			/* the first that is given */
};

/* The device's id is in the GUID that we offered it by. */
static uint64_t device_id(void)
{
	return (uint64_t)instance[5] << 24 | (uint64_t)instance[4] << 16 |
	       (uint64_t)instance[7] << 8 | (instance[6] & 0xF8);
}

static uint64_t hypercall(const struct port_hypercall *call, size_t length)
{
	struct retarget input = { 0 };
	struct interrupt *interrupt;
	uint32_t processor;

	if ((call->control & 0xFFFF) != HVCALL_RETARGET_INTERRUPT)
		return HV_STATUS_INVALID_HYPERCALL_CODE;
	memcpy(&input, call + 1, length < sizeof(input) ? length : sizeof(input));
	interrupt = interrupt_of(input.address, input.data);
	processor = lowest_bit(input.flags & TARGET_PROCESSOR_SET ? input.bank : input.mask);
	if (!interrupt || processor >= PROCESSORS || input.device != device_id())
		return HV_STATUS_INVALID_PARAMETER;
	interrupt->vector = input.vector;
	interrupt->processor = processor;
	return HV_STATUS_SUCCESS;
}

/* How many bytes a message of that type has at least; 0 for those that we do not know. */
static size_t length_of(uint32_t type)
{
	switch (type) {
	case QUERY_BUS_RELATIONS:
	case BUS_D0EXIT:
		return sizeof(uint32_t);
	case QUERY_RESOURCE_REQUIREMENTS:
	case RESOURCES_RELEASED:
	case EJECTION_COMPLETE:
	case QUERY_PROTOCOL_VERSION:
		return sizeof(struct vpci_child);
	case BUS_D0ENTRY:
		return sizeof(struct vpci_d0_entry);
	case RESOURCES_ASSIGNED:
		return ASSIGNED_BYTES;
	case RESOURCES_ASSIGNED2:
		return ASSIGNED2_BYTES;
	case CREATE_INTERRUPT_MESSAGE:
		return sizeof(struct vpci_create);
	case CREATE_INTERRUPT_MESSAGE2:
		return CREATE2_BYTES;
	case CREATE_INTERRUPT_MESSAGE3:
		return CREATE3_BYTES;
	case DELETE_INTERRUPT_MESSAGE:
		return sizeof(struct vpci_delete);
	default:
		return 0;
	}
}

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

/* Messages about a function: whether it is one of ours. */
static int about_us(const union message *message)
{
	return message->child.slot == WSLOT && present;
}

static void function_message(const union message *message, struct reply *reply)
{
	if (!about_us(message)) {
		reply->status = STATUS_UNSUCCESSFUL;
		return;
	}
	switch (message->type) {
	case QUERY_RESOURCE_REQUIREMENTS:
		reply->requirements.bars[0] = ~(BAR_BYTES - 1u);	/* after all ones */
		reply->length = sizeof(reply->requirements);
		break;
	case RESOURCES_ASSIGNED:
	case RESOURCES_ASSIGNED2:
		if (powered)
			assigned = 1;
		else
			reply->status = STATUS_INVALID_DEVICE_STATE;
		break;
	case RESOURCES_RELEASED:
		assigned = 0;
		memset(interrupts, 0, sizeof(interrupts));
		break;
	case CREATE_INTERRUPT_MESSAGE:
		reply->status = create_interrupt(message->create.vector, message->create.count,
						 lowest_bit(message->create.processors),
						 &reply->created);
		reply->length = sizeof(reply->created);
		break;
	case CREATE_INTERRUPT_MESSAGE2:
		reply->status = create_interrupt(message->create2.vector, message->create2.count,
						 message->create2.processors[0],
						 &reply->created);
		reply->length = sizeof(reply->created);
		break;
	case CREATE_INTERRUPT_MESSAGE3:
		reply->status = create_interrupt(message->create3.vector, message->create3.count,
						 message->create3.processors[0],
						 &reply->created);
		reply->length = sizeof(reply->created);
		break;
	case DELETE_INTERRUPT_MESSAGE:
		delete_interrupt(&message->delete.desc);
		break;
	}
}

static void rescind(void);

static void bus_message(const union message *message, struct reply *reply)
{
	switch (message->type) {
	case QUERY_PROTOCOL_VERSION:
		reply->status = agree(&message->version);
		break;
	case QUERY_BUS_RELATIONS:
		send_relations();
		break;
	case BUS_D0ENTRY:
		reply->status = enter_d0(&message->d0_entry);
		break;
	case BUS_D0EXIT:
		leave_d0();
		break;
	case EJECTION_COMPLETE:
		if (about_us(message)) {
			present = 0;
			send_relations();
			rescind();	/* nothing is left that the channel would be for */
		}
		break;
	default:
		function_message(message, reply);
	}
}

/* Nothing is answered that did not ask for it: with a transaction id, and the flag that says so. */
static void packet(const struct port_packet *packet, const unsigned char *payload, size_t length)
{
	int wanted = packet->flags & FLAG_COMPLETION_REQUESTED && packet->transaction_id;
	struct reply reply = { .length = sizeof(uint32_t) };
	union message message = { 0 };
	size_t least;

	if (packet->type != PACKET_INBAND || length < sizeof(message.type))
		return;
	memcpy(&message, payload, length < sizeof(message) ? length : sizeof(message));
	least = length_of(message.type);
	if (!least || length < least)
		reply.status = STATUS_UNSUCCESSFUL;
	else if (phase == OPEN && message.type != QUERY_PROTOCOL_VERSION)
		reply.status = STATUS_INVALID_DEVICE_STATE;
	else
		bus_message(&message, &reply);
	if (!wanted)
		return;
	memcpy(&reply.requirements, &reply.status, sizeof(reply.status));
	if (FAILED(reply.status))
		reply.length = sizeof(reply.status);
	port_send_packet(&port, CHANNEL, PACKET_COMPLETION, 0, packet->transaction_id,
			 &reply.requirements, reply.length);
}

/* --- the channel --- */

static void offer(void)
{
	struct port_offer message = { .channel = CHANNEL };

	memcpy(message.instance, instance, sizeof(instance));
	offered = 1;
	port_send(&port, PORT_OFFER, &message, sizeof(message));
}

static void rescind(void)
{
	struct port_channel message = { .channel = CHANNEL };

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

static enum port_done ordered(const struct port_ordered *order)
{
	struct vpci_child message = { .type = EJECT, .slot = WSLOT };

	switch (order->order) {
	case ORDER_EJECT:
		if (!offered || !assigned || !present)
			return DONE_REFUSED;
		tell(&message, sizeof(message));
		return DONE_OK;
	case ORDER_RESCIND:
		if (!offered)
			return DONE_REFUSED;
		rescind();
		return DONE_OK;
	case ORDER_REOFFER:		/* the device is back, as it is after power-on */
		if (offered || phase != CLOSED)
			return DONE_REFUSED;
		present = 1;
		offer();
		return DONE_OK;
	case ORDER_RAISE_INTERRUPT:
		raise_interrupt((uint32_t)order->words[1]);	/* behind the slot */
		return DONE_OK;
	default:
		return DONE_NOT_SUPPORTED;
	}
}

static void handle(struct port_frame *frame)
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
	const uint64_t orders = 1ull << ORDER_EJECT | 1ull << ORDER_RESCIND |
				1ull << ORDER_REOFFER | 1ull << ORDER_RAISE_INTERRUPT;
	static struct port_frame frame;

	reset_function();
	port_begin(&port, PORT_ROLE_HOST, orders, "host in C", argc > 1 ? argv[1] : NULL);
	offer();
	for (;;) {
		port_next(&port, &frame);
		handle(&frame);
	}
}
