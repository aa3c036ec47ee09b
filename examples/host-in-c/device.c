/* SPDX-License-Identifier: MIT */
/*
 * The function, a network controller, and what the hypervisor does for it: registers, memory,
 * interrupts. Its memory is one page of which nothing comes, and which the MSI-X table is in.
 * Knows no packet.
 */
#include <string.h>

#include "host.h"

#define CONFIG_BYTES	4096
#define COMMAND		0x04
#define COMMAND_MEMORY	0x02
#define BAR0		0x10
#define MSIX		0x40		/* capabilities */
#define MSIX_TABLE	0x800		/* in BAR 0 */
#define MSI		0x50

#define INTERRUPTS	8		/* that the hypervisor keeps for us */
#define INTERRUPT_DATA	0x4000		/* what it knows them by: ours to choose */
#define INTERRUPT_ADDRESS	0xFEE00000u

#define HVCALL_RETARGET_INTERRUPT		0x7E
#define HV_STATUS_SUCCESS			0
#define HV_STATUS_INVALID_HYPERCALL_CODE	2
#define HV_STATUS_INVALID_PARAMETER		5
#define TARGET_PROCESSOR_SET			2

struct function function = { .present = 1 };
const uint8_t instance[16] = { 1, 2, 3, 4, 5, 6, 7, 8 };

static uint8_t config[CONFIG_BYTES];
static uint8_t writable[CONFIG_BYTES];	/* the bits of it that are */
static uint8_t memory[BAR_BYTES];
static uint32_t selected;		/* slot, in the first page of the window */

static struct interrupt {
	int granted;
	uint32_t vector;
	uint32_t processor;
} interrupts[INTERRUPTS];

/* --- registers and memory --- */

static void set16(unsigned int offset, uint16_t value)
{
	memcpy(config + offset, &value, sizeof(value));
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

void reset_function(void)
{
	memset(memory, 0, sizeof(memory));
	memset(config, 0, sizeof(config));
	memset(writable, 0, sizeof(writable));
	set16(0x00, VENDOR);
	set16(0x02, DEVICE);
	writable[COMMAND] = 0x06;	/* memory, bus master */
	writable[COMMAND + 1] = 0x04;	/* no INTx */
	set16(0x06, 0x0010);		/* status: there are capabilities */
	config[0x08] = 0x01;		/* revision */
	config[0x0B] = 0x02;		/* class: network */
	set16(0x2C, VENDOR);		/* subsystem */
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

/* Whether an access at @offset ends before @bytes. What it says of itself may be anything. */
static int within(uint64_t offset, uint32_t size, uint64_t bytes)
{
	return size <= sizeof(uint64_t) && offset < bytes && size <= bytes - offset;
}

/* Where in our memory an access is, if it is there: decoding has to be on. */
static uint8_t *memory_at(const struct port_mmio *access)
{
	uint64_t offset = access->gpa - (get32(config + BAR0) & ~0xFu);

	if (!function.powered || !function.present || !(config[COMMAND] & COMMAND_MEMORY) ||
	    !within(offset, access->size, BAR_BYTES))
		return NULL;
	return memory + offset;
}

/* The same for configuration space, in the window's second page: nobody is in another slot. */
static uint8_t *config_at(const struct port_mmio *access)
{
	uint64_t offset = access->gpa - function.window - CONFIG_OFFSET;

	if (!function.powered || !function.present || selected != WSLOT ||
	    !within(offset, access->size, CONFIG_BYTES))
		return NULL;
	return config + offset;
}

uint64_t mmio_read(const struct port_mmio *access)
{
	const uint8_t *at = memory_at(access);
	uint64_t value = 0;

	if (!at)
		at = config_at(access);
	if (!at)			/* nobody answers */
		return access->size < sizeof(value) ? (1ull << 8 * access->size) - 1 : ~0ull;
	memcpy(&value, at, access->size);
	return value;
}

static void config_write(size_t offset, uint64_t value, uint32_t size)
{
	if (offset >= BAR0 && offset < BAR0 + 4 && config[COMMAND] & COMMAND_MEMORY)
		return;			/* it cannot be moved while it is in use */
	for (uint32_t i = 0; i < size; i++) {
		uint8_t may = writable[offset + i];
		uint8_t byte = (uint8_t)(value >> 8 * i);

		config[offset + i] = (config[offset + i] & ~may) | (byte & may);
	}
}

void mmio_write(const struct port_mmio *access)
{
	uint8_t *in_memory = memory_at(access);
	uint8_t *in_config = config_at(access);

	if (in_memory)
		memcpy(in_memory, &access->value, access->size);
	else if (in_config)
		config_write((size_t)(in_config - config), access->value, access->size);
	else if (function.powered && access->gpa == function.window && access->size == 4)
		selected = (uint32_t)access->value;
}

/* --- interrupts --- */

/* A block of interrupts that are free, one after another: the device adds to the data. */
int create_interrupt(uint32_t vector, uint32_t count, uint32_t processor,
		     struct vpci_message_desc *desc)
{
	uint32_t first = 0;

	if (!count || count > VECTORS || processor >= PROCESSORS)
		return 0;
	for (uint32_t i = 0; i - first < count; i++) {
		if (i == INTERRUPTS)
			return 0;
		if (interrupts[i].granted)
			first = i + 1;
	}
	for (uint32_t i = 0; i < count; i++)
		interrupts[first + i] = (struct interrupt){ 1, vector + i, processor };
	*desc = (struct vpci_message_desc){
		.count = (uint16_t)count,
		.data = INTERRUPT_DATA + first,
		.address = INTERRUPT_ADDRESS,
	};
	return 1;
}

static struct interrupt *interrupt_of(uint64_t address, uint32_t data)
{
	uint32_t number = data - INTERRUPT_DATA;

	if (address != INTERRUPT_ADDRESS || number >= INTERRUPTS || !interrupts[number].granted)
		return NULL;
	return &interrupts[number];
}

void delete_interrupt(const struct vpci_message_desc *desc)
{
	for (uint32_t i = 0; i < desc->count && i < INTERRUPTS; i++) {
		struct interrupt *interrupt = interrupt_of(desc->address, desc->data + i);

		if (interrupt)
			interrupt->granted = 0;
	}
}

void delete_all_interrupts(void)
{
	memset(interrupts, 0, sizeof(interrupts));
}

/*
 * The device raises a vector: it writes its message, and the hypervisor knows whose that is.
 * Returns 0 if it is nobody's.
 */
int raise_interrupt(uint32_t index, struct port_interrupt *raised)
{
	struct interrupt *interrupt = NULL;
	const uint8_t *entry;

	if (!function.powered || !function.present || index >= VECTORS)
		return 0;
	entry = memory + MSIX_TABLE + 16 * index;
	if (config[MSIX + 3] & 0x80)
		interrupt = entry[12] & 1 ? NULL : interrupt_of(get32(entry), get32(entry + 8));
	else if (config[MSI + 2] & 1)
		interrupt = interrupt_of(get32(config + MSI + 4),
					 (get32(config + MSI + 12) & 0xFFFF) + index);
	if (!interrupt)
		return 0;
	*raised = (struct port_interrupt){ interrupt->processor, interrupt->vector };
	return 1;
}

/* --- the hypervisor --- */

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

uint32_t lowest_bit(uint64_t mask)
{
	uint32_t bit = 0;

	while (bit < PROCESSORS && !(mask >> bit & 1))
		bit++;
	return bit;
}

/* The device's id is in the GUID that we offered it by. */
static uint64_t device_id(void)
{
	return (uint64_t)instance[5] << 24 | (uint64_t)instance[4] << 16 |
	       (uint64_t)instance[7] << 8 | (instance[6] & 0xF8);
}

uint64_t hypercall(const struct port_hypercall *call, size_t length)
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
