/* SPDX-License-Identifier: MIT */
/* What happened between two traps, kept in order until the binding fetches it. */
#include <stdio.h>
#include <string.h>

#include "vx.h"

struct vx_note *vx_note(enum vx_note_kind kind, struct vx_ctx *ctx)
{
	struct vx_note *note;

	if (vx_shared.notes_count == VX_NOTES_MAX)
		vx_finding("hang", "more than %u notes without a trap", VX_NOTES_MAX);
	note = &vx_shared.notes[vx_shared.notes_count++];
	note->kind = kind;
	note->ctx = ctx ? ctx->id : 0;
	note->text[0] = '\0';
	return note;
}

void vx_log(const char *text)
{
	snprintf(vx_note(VX_LOG, NULL)->text, sizeof(((struct vx_note *)0)->text), "%s", text);
}
