/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the shell share: a command, and what each kind of them is done by. */
#ifndef VX_SHELL_H
#define VX_SHELL_H

#include <linux/uuid.h>

#include "telling.h"

#define VX_BLOCK_BYTES_MAX 128 /* of one configuration block */
#define VX_TEXT_BYTES_MAX 256 /* more than a block has, which is for the driver to refuse */

struct vx_command {
	u32 devfn;
	guid_t instance;
	u64 a, b;
	char text[VX_TEXT_BYTES_MAX + 1]; /* bytes to write, or a name */
	u32 size;
};

/* Each returns 0 or a negative errno, as the system call behind it would. */
int vx_load_module(void); /* module.c */
int vx_unload_module(void);
int vx_write_file(const char *directory, const char *name, const char *text); /* files.c */

int vx_bind_bus(struct vx_command *command); /* shell_buses.c */
int vx_unbind_bus(struct vx_command *command);
int vx_override_bus(struct vx_command *command);
int vx_move_channel(struct vx_command *command);

int vx_lspci(struct vx_command *command); /* lspci.c */

int vx_rescan(struct vx_command *command); /* shell_functions.c */
int vx_bind_function(struct vx_command *command);
int vx_unbind_function(struct vx_command *command);
int vx_open_function(struct vx_command *command);
int vx_close_function(struct vx_command *command);
int vx_use_function(struct vx_command *command);
int vx_set_affinity(struct vx_command *command);
int vx_read_block(struct vx_command *command);
int vx_write_block(struct vx_command *command);

int vx_cpu_offline(struct vx_command *command); /* shell_machine.c */
int vx_cpu_online(struct vx_command *command);

int vx_suspend(struct vx_command *command); /* hibernate.c */
int vx_resume_machine(struct vx_command *command);

void vx_process_begins(void); /* freezer.c: not before it is thawed */
void vx_process_ends(void);
int vx_freeze_processes(void);
void vx_thaw_processes(void);

#endif
