/* SPDX-License-Identifier: GPL-2.0-only */
/* Function drivers: what the files that run their step tables share. */
#ifndef VX_DRIVERS_H
#define VX_DRIVERS_H

#include <linux/pci.h>

#include "telling.h"

#define VX_QUEUES_MAX 2048 /* as many vectors as MSI-X can have */
#define VX_STEPS_MAX 24

/* In the order of guest/native/tables.py's OPS, whose places are these numbers. */
enum vx_op {
	OP_ENABLE_DEVICE, OP_DISABLE_DEVICE, OP_SET_MASTER, OP_CHECK_ALIVE, OP_WRITE_REGISTER,
	OP_ALLOC_VECTORS, OP_FREE_VECTORS, OP_REQUEST_IRQS, OP_FREE_IRQS, OP_SUBMIT_AND_WAIT,
	OP_READ_BLOCK, OP_WRITE_BLOCK, OP_REGISTER_INVALIDATE, OP_UNREGISTER_INVALIDATE,
	OP_STOP_IO, OP_DAWDLE, OP_START_IO, OPS,
};

enum vx_spread { SPREAD_OF_TABLE, SPREAD_MANAGED, SPREAD_NONE };
enum vx_part { PART_PROBE, PART_REMOVE, PART_SUSPEND, PART_RESUME, PARTS };

struct vx_step {
	u32 op, undo; /* `undo` is OPS where there is none */
	u64 a, b, c, d;
};

struct vx_choice { /* what a scenario says of one function */
	guid_t instance;
	u32 devfn, driver; /* index of its table */
	u32 vectors, rounds, remove_ms, spread;
};

struct vx_queue_of_device {
	int irq;
	u32 sent; /* commands that have not completed */
	bool requested, inactive; /* no CPU of it is online */
	char name[40];
};

struct vx_instance { /* a driver's private data for one device: from probe to remove */
	struct pci_dev *dev;
	const struct vx_choice *choice;
	struct completion done, idle;
	struct hlist_node cpuhp;
	bool watches_cpus, stopping;
	int queues, under_way;
	struct workqueue_struct *invalidate_wq;
	struct vx_queue_of_device *queue;
};

typedef int (*vx_operation)(struct vx_instance *self, const struct vx_step *step);
extern const vx_operation vx_operations[OPS];

/* driver_queues.c */
int vx_alloc_vectors(struct vx_instance *self, const struct vx_step *step);
int vx_free_vectors(struct vx_instance *self, const struct vx_step *step);
int vx_request_irqs(struct vx_instance *self, const struct vx_step *step);
int vx_free_irqs(struct vx_instance *self, const struct vx_step *step);
int vx_run_commands(struct vx_instance *self, u32 rounds, u32 timeout_ms);

/* driver_blocks.c */
int vx_read_block_step(struct vx_instance *self, const struct vx_step *step);
int vx_write_block_step(struct vx_instance *self, const struct vx_step *step);
int vx_register_invalidate(struct vx_instance *self, const struct vx_step *step);
int vx_unregister_invalidate(struct vx_instance *self, const struct vx_step *step);

/* A user makes the driver of a bound device do something; its remove waits until that is over. */
bool vx_use_begins(struct pci_dev *dev);
void vx_use_ends(struct pci_dev *dev);
int vx_submit(struct pci_dev *dev, u32 rounds, u32 timeout_ms);
const char *vx_driver_of(struct pci_dev *dev); /* drivers.c */

/* driver.c */
const guid_t *vx_instance_of(struct pci_bus *bus);
u32 vx_relid_of(struct pci_bus *bus);
u32 vx_wslot_of(const struct pci_dev *dev);

#endif
