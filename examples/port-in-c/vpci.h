/* SPDX-License-Identifier: MIT */
/*
 * vPCI's messages as the two examples need them: numbers, and structures as they are on the ring.
 */
#ifndef VPCI_H
#define VPCI_H

#include <stdint.h>

#define PACKET_INBAND			6
#define PACKET_COMPLETION		11
#define FLAG_COMPLETION_REQUESTED	1

#define STATUS_SUCCESS			0u
#define STATUS_UNSUCCESSFUL		0xC0000001u
#define STATUS_REVISION_MISMATCH	0xC0000059u
#define STATUS_INVALID_DEVICE_STATE	0xC0000184u
#define FAILED(status)			((int32_t)(status) < 0)

#define VPCI_1_1			0x10001u
#define VPCI_1_2			0x10002u
#define VPCI_1_3			0x10003u
#define VPCI_1_4			0x10004u

enum vpci_type {
	BUS_RELATIONS = 0x42490000,
	QUERY_BUS_RELATIONS = 0x42490001,
	QUERY_RESOURCE_REQUIREMENTS = 0x42490005,
	BUS_D0ENTRY = 0x42490007,
	BUS_D0EXIT = 0x42490008,
	READ_BLOCK = 0x42490009,
	WRITE_BLOCK = 0x4249000A,
	EJECT = 0x4249000B,
	EJECTION_COMPLETE = 0x4249000F,
	RESOURCES_ASSIGNED = 0x42490010,
	RESOURCES_RELEASED = 0x42490011,
	QUERY_PROTOCOL_VERSION = 0x42490013,
	CREATE_INTERRUPT_MESSAGE = 0x42490014,
	DELETE_INTERRUPT_MESSAGE = 0x42490015,
	RESOURCES_ASSIGNED2 = 0x42490016,
	CREATE_INTERRUPT_MESSAGE2 = 0x42490017,
	BUS_RELATIONS2 = 0x42490019,
	CREATE_INTERRUPT_MESSAGE3 = 0x4249001B,
};

#define CONFIG_OFFSET		0x1000	/* of the second page of the window; the first selects */

struct vpci_child {			/* a type and a slot: many messages are no more */
	uint32_t type;
	uint32_t slot;
};

struct vpci_version {
	uint32_t type;
	uint32_t version;
};

struct vpci_d0_entry {
	uint32_t type;
	uint32_t reserved;
	uint64_t window;
};

struct vpci_function {			/* 20 bytes before 1.3, with the last two fields since */
	uint16_t vendor;
	uint16_t device;
	uint8_t class[4];
	uint32_t subsystem;
	uint32_t slot;
	uint32_t serial;
	uint32_t flags;
	uint32_t numa_node;
};

#define FUNCTION_BYTES		20
#define FUNCTION2_BYTES		28

struct vpci_relations {
	uint32_t type;
	uint32_t count;
	/* the functions follow */
};

struct vpci_requirements {		/* the answer to QUERY_RESOURCE_REQUIREMENTS */
	uint32_t status;
	uint32_t bars[6];
};

#define ASSIGNED_BYTES		148	/* RESOURCES_ASSIGNED: zero behind the slot */
#define ASSIGNED2_BYTES		202	/* RESOURCES_ASSIGNED2 */

struct vpci_message_desc {		/* what the device is to write */
	uint16_t reserved;
	uint16_t count;
	uint32_t data;
	uint64_t address;
};

struct vpci_created {			/* the answer to CREATE_INTERRUPT_MESSAGE* */
	uint32_t status;
	uint32_t reserved;
	struct vpci_message_desc desc;
};

struct vpci_delete {
	uint32_t type;
	uint32_t slot;
	struct vpci_message_desc desc;
};

struct vpci_create {			/* 1.1 */
	uint32_t type;
	uint32_t slot;
	uint8_t vector;
	uint8_t delivery_mode;
	uint16_t count;
	uint32_t reserved;
	uint64_t processors;		/* a mask */
};

struct vpci_create2 {			/* 1.2 and 1.3 */
	uint32_t type;
	uint32_t slot;
	uint8_t vector;
	uint8_t delivery_mode;
	uint16_t count;
	uint16_t processor_count;
	uint16_t processors[32];
};

#define CREATE2_BYTES		78	/* the compiler pads the structure at its end */

struct vpci_create3 {			/* 1.4 */
	uint32_t type;
	uint32_t slot;
	uint32_t vector;
	uint8_t delivery_mode;
	uint8_t reserved;
	uint16_t count;
	uint16_t processor_count;
	uint16_t processors[32];
};

#define CREATE3_BYTES		82

struct vpci_block {			/* READ_BLOCK; WRITE_BLOCK's data follow */
	uint32_t type;
	uint32_t block;
	uint32_t slot;
	uint32_t bytes;
};

#define BLOCK_BYTES_MAX		128
#define BLOCK_QUIRK_BYTES	4	/* sent behind what is written: some hosts want them */

struct vpci_ejected {
	uint32_t type;
	uint32_t slot;
	uint32_t status;
};

#endif
