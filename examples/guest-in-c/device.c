/* SPDX-License-Identifier: MIT */
/*
 * The functions of a bus: which there are, what each needs, where its BARs are, the interrupt that
 * it has. Knows nothing of how the bus itself comes and goes.
 */
#include <string.h>

#include "guest.h"

#define NARROW_BARS	0xC0000000u	/* guest-physical space for BARs of 32 bits */
#define WIDE_BARS	0x10000000000u	/* and of 64 */
#define FIRST_VECTOR	0x30

#define PCI_COMMAND		0x04
#define PCI_COMMAND_ON		0x06	/* memory, bus master */
#define PCI_BAR			0x10
#define PCI_CAPABILITIES	0x34
#define PCI_CAPABILITIES_MAX	48	/* that there is room for */
#define PCI_MSI			0x05
#define PCI_MSI_ENABLE		0x0001
#define PCI_MSI_WIDE		0x0080	/* the address has 64 bits */
#define PCI_MSIX		0x11
#define PCI_MSIX_ENABLE		0x8000

#define for_each_function(function, bus) \
	for (struct function *function = (bus)->function; \
	     function < (bus)->function + FUNCTIONS_MAX; function++)

/* --- which there are --- */

/* One that has another serial number than the one we know in its slot is another one. */
static void note_listed(struct bus *bus, const struct vpci_function *listed)
{
	struct function *empty = NULL;

	for_each_function(function, bus) {
		if (function->state == NOBODY && !empty)
			empty = function;
		if (function->state == PRESENT && function->slot == listed->slot &&
		    function->serial == listed->serial) {
			function->listed = 1;
			return;
		}
	}
	if (empty)
		*empty = (struct function){
			.state = PRESENT,
			.slot = listed->slot,
			.serial = listed->serial,
			.listed = 1,
		};
}

/* A list of all functions that the bus has now: what it does not name has been taken away. */
void note_list(struct bus *bus, const unsigned char *payload, size_t length)
{
	struct vpci_relations relations;
	size_t each;

	memcpy(&relations, payload, sizeof(relations));
	each = relations.type == BUS_RELATIONS ? FUNCTION_BYTES : FUNCTION2_BYTES;
	if (relations.count > LISTED_MAX || length < sizeof(relations) + relations.count * each)
		return;			/* never trust the host */
	for_each_function(function, bus)
		function->listed = 0;
	for (uint32_t i = 0; i < relations.count; i++) {
		struct vpci_function listed;

		memcpy(&listed, payload + sizeof(relations) + i * each, FUNCTION_BYTES);
		note_listed(bus, &listed);
	}
	for_each_function(function, bus)
		if (function->state == PRESENT && !function->listed)
			function->state = GONE;
	bus->listed = bus->news = 1;
}

/* Who is in no slot was never ours to give up. */
void note_eject(struct bus *bus, uint32_t slot)
{
	for_each_function(function, bus)
		if (function->state == PRESENT && function->slot == slot)
			function->ejected = bus->news = 1;
}

/* --- resources --- */

static void survey(struct bus *bus, struct function *function)
{
	struct vpci_child message = { QUERY_RESOURCE_REQUIREMENTS, function->slot };
	struct vpci_requirements needs;

	function->surveyed = 1;
	if (FAILED(ask(bus, function, &message, sizeof(message), &needs, sizeof(needs))))
		return;			/* then it has no BARs */
	memcpy(function->needs, needs.bars, sizeof(needs.bars));
}

/* Move the host on: until then it creates no interrupt. */
static void assign(struct bus *bus, struct function *function)
{
	int old = bus->version == VPCI_1_1;
	struct {
		struct vpci_child head;
		unsigned char zero[ASSIGNED2_BYTES - sizeof(struct vpci_child)];
	} message = { .head = { old ? RESOURCES_ASSIGNED : RESOURCES_ASSIGNED2, function->slot } };

	function->assigned = !FAILED(ask(bus, function, &message,
					 old ? ASSIGNED_BYTES : ASSIGNED2_BYTES, NULL, 0));
}

/* --- configuration space: the window's first page selects whose the second one shows --- */

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

	for (int i = 0; at && i < PCI_CAPABILITIES_MAX; i++) {
		uint32_t head = config_read(bus, slot, at, 2);

		if ((head & 0xFF) == wanted)
			return at;
		at = head >> 8;
	}
	return 0;
}

/* An address that nobody has, for a BAR in which the bits of @mask can be written. */
static uint64_t address_for(uint64_t mask, int wide)
{
	static uint64_t narrow_next = NARROW_BARS, wide_next = WIDE_BARS;
	uint64_t *next = wide ? &wide_next : &narrow_next;
	uint64_t size = ~mask + 1;
	uint64_t address = (*next + size - 1) & mask;

	*next = address + size;
	return address;
}

/* Give the function's BARs addresses of their own, and let it decode them. */
static void place_bars(struct bus *bus, struct function *function)
{
	config_write(bus, function->slot, PCI_COMMAND, 2, 0);
	for (uint32_t i = 0; i < BARS; i++) {
		uint32_t low = function->needs[i];
		int wide = (low & 6) == 4 && i + 1 < BARS;
		uint64_t high = wide ? function->needs[i + 1] : 0xFFFFFFFFu;

		if (!(low & ~0xFu) || low & 1)
			continue;	/* none, or ports */
		if (!function->bars[i])
			function->bars[i] = address_for(high << 32 | (low & ~0xFu), wide);
		config_write(bus, function->slot, PCI_BAR + 4 * i, 4, (uint32_t)function->bars[i]);
		if (!wide)
			continue;
		config_write(bus, function->slot, PCI_BAR + 4 * i + 4, 4,
			     (uint32_t)(function->bars[i] >> 32));
		i++;			/* two registers were one BAR */
	}
	config_write(bus, function->slot, PCI_COMMAND, 2, PCI_COMMAND_ON);
}

/* --- the interrupt --- */

/* One vector, for processor 0. With 1.2 and with 1.4 the message got another form. */
static uint32_t create_message(struct bus *bus, struct function *function,
			       struct vpci_created *created)
{
	struct vpci_create form1 = {
		CREATE_INTERRUPT_MESSAGE, function->slot, FIRST_VECTOR, .count = 1, .processors = 1,
	};
	struct vpci_create2 form2 = {
		CREATE_INTERRUPT_MESSAGE2, function->slot, FIRST_VECTOR, .count = 1,
		.processor_count = 1,
	};
	struct vpci_create3 form3 = {
		CREATE_INTERRUPT_MESSAGE3, function->slot, FIRST_VECTOR, .count = 1,
		.processor_count = 1,
	};

	if (bus->version == VPCI_1_1)
		return ask(bus, function, &form1, sizeof(form1), created, sizeof(*created));
	if (bus->version < VPCI_1_4)
		return ask(bus, function, &form2, CREATE2_BYTES, created, sizeof(*created));
	return ask(bus, function, &form3, CREATE3_BYTES, created, sizeof(*created));
}

/* Tell the device what to write: the first entry of its MSI-X table, whose capability is @at. */
static void use_msix(struct bus *bus, struct function *function, uint32_t at)
{
	const struct vpci_message_desc *message = &function->interrupt;
	uint32_t table = config_read(bus, function->slot, at + 4, 4);
	uint32_t bar = table & 7;
	uint64_t entry;

	if (bar >= BARS || !function->bars[bar])
		return;
	entry = function->bars[bar] + (table & ~7u);
	mmio_write(entry, 4, (uint32_t)message->address);
	mmio_write(entry + 4, 4, message->address >> 32);
	mmio_write(entry + 8, 4, message->data);
	mmio_write(entry + 12, 4, 0);	/* not masked */
	config_write(bus, function->slot, at + 2, 2, PCI_MSIX_ENABLE);
}

/* The same for a device that has MSI only. */
static void use_msi(struct bus *bus, struct function *function, uint32_t at)
{
	const struct vpci_message_desc *message = &function->interrupt;
	uint32_t wide = config_read(bus, function->slot, at + 2, 2) & PCI_MSI_WIDE;

	config_write(bus, function->slot, at + 4, 4, (uint32_t)message->address);
	if (wide)
		config_write(bus, function->slot, at + 8, 4, message->address >> 32);
	config_write(bus, function->slot, at + (wide ? 12 : 8), 2, message->data);
	config_write(bus, function->slot, at + 2, 2, PCI_MSI_ENABLE);
}

static void use_message(struct bus *bus, struct function *function)
{
	uint32_t msix = capability(bus, function->slot, PCI_MSIX);
	uint32_t msi = msix ? 0 : capability(bus, function->slot, PCI_MSI);

	if (msix)
		use_msix(bus, function, msix);
	else if (msi)
		use_msi(bus, function, msi);
}

/* In D0, with resources assigned. A function that has been pulled out reads as ones. */
static void set_up(struct bus *bus, struct function *function)
{
	struct vpci_created created;

	if ((config_read(bus, function->slot, 0, 4) & 0xFFFF) == 0xFFFF)
		return;
	place_bars(bus, function);
	if (FAILED(create_message(bus, function, &created)))
		return;
	function->interrupt = created.desc;
	function->has_interrupt = 1;
	use_message(bus, function);
}

static void delete_interrupt(struct bus *bus, struct function *function)
{
	struct vpci_delete message = {
		DELETE_INTERRUPT_MESSAGE, function->slot, function->interrupt,
	};

	if (function->has_interrupt)
		tell(bus, &message, sizeof(message));	/* nothing comes back */
	function->has_interrupt = 0;
}

/* --- their life --- */

static void give_up(struct bus *bus, struct function *function)
{
	struct vpci_ejected answer = { EJECTION_COMPLETE, function->slot, STATUS_SUCCESS };

	delete_interrupt(bus, function);
	if (function->ejected)
		tell(bus, &answer, sizeof(answer));	/* now the host may take it away */
	*function = (struct function){ .state = NOBODY };
}

/*
 * Bring functions as far as the bus is: what they need before D0, the rest in it. Returns 0 if the
 * host refuses to take a function's resources for assigned.
 */
int advance(struct bus *bus)
{
	bus->news = 0;
	for_each_function(function, bus)
		if (function->state == GONE || function->ejected)
			give_up(bus, function);
	for_each_function(function, bus)
		if (function->state == PRESENT && !function->surveyed)
			survey(bus, function);
	for_each_function(function, bus) {
		if (!bus->in_d0 || function->state != PRESENT || function->assigned)
			continue;
		assign(bus, function);
		if (function->state == PRESENT && !function->assigned)
			return 0;
	}
	for_each_function(function, bus)
		if (!bus->gone && function->state == PRESENT && function->assigned &&
		    !function->has_interrupt)
			set_up(bus, function);
	return 1;
}

static void release(struct bus *bus, struct function *function)
{
	struct vpci_child message = { RESOURCES_RELEASED, function->slot };

	delete_interrupt(bus, function);
	ask(bus, function, &message, sizeof(message), NULL, 0);
	function->assigned = 0;
}

void release_all(struct bus *bus)
{
	for (unsigned int i = FUNCTIONS_MAX; i--;)
		if (bus->function[i].state == PRESENT)
			release(bus, &bus->function[i]);
}

void delete_interrupts(struct bus *bus)
{
	for_each_function(function, bus)
		delete_interrupt(bus, function);
}
