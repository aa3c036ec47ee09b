/* SPDX-License-Identifier: MIT */
/* What happened between two traps, kept in order until the binding fetches it. */
#include <stdio.h>
#include <string.h>

#include "vx.h"

/* What cannot wait does all that it does at one moment, however often others come between. */
static void check_that_it_ends(enum vx_note_kind kind)
{
	bool may_wait = !vx_current || vx_current->kind < VX_SOFTIRQ;

	if (kind == VX_LOG || may_wait || ++vx_current->noted <= VX_NOTES_MAX)
		return;
	vx_finding("hang", "%s does more than %u things and does not end", vx_current->title,
		   VX_NOTES_MAX);
}

struct vx_note *vx_note(enum vx_note_kind kind, struct vx_ctx *ctx)
{
	struct vx_note *note;

	vx_look();
	check_that_it_ends(kind);
	if (kind == VX_STARTED || kind == VX_WOKEN)
		vx_shared.crowded = 1; /* from here on somebody else could go on */
	if (vx_shared.notes_count == VX_NOTES_MAX)
		vx_finding("hang", "more than %u notes without a trap", VX_NOTES_MAX);
	note = &vx_shared.notes[vx_shared.notes_count++];
	note->kind = kind;
	note->ctx = ctx ? ctx->id : 0;
	note->a = note->b = note->c = note->d = 0;
	vx_fill(note->numbers, 0, sizeof(note->numbers));
	note->words[0] = '\0';
	return note;
}

static char last_line[sizeof(((struct vx_note *)0)->text)];

void vx_log(const char *text)
{
	snprintf(last_line, sizeof(last_line), "%s", text);
	if (!vx_shared.quiet)
		vx_copy(vx_note(VX_LOG, NULL)->text, last_line, sizeof(last_line));
}

/* The last line that was printed; "" if there is none. */
const char *vx_last_logged(void)
{
	return last_line;
}
