/* SPDX-License-Identifier: GPL-2.0-only */
/* Lists are checked at every change, as hardened kernels do; what is wrong is a finding. */
#include <linux/list.h>

#include "shim.h"

#if SINCE(6, 6)
#define LIST_ADD_VALID __list_add_valid_or_report
#define LIST_DEL_VALID __list_del_entry_valid_or_report
#else
#define LIST_ADD_VALID __list_add_valid
#define LIST_DEL_VALID __list_del_entry_valid
#endif

bool LIST_ADD_VALID(struct list_head *item, struct list_head *before, struct list_head *after)
{
	if (after->prev != before || before->next != after || item == before || item == after)
		vx_finding("list-corruption", "an element is added between two that are not neighbours");
	return true;
}

bool LIST_DEL_VALID(struct list_head *item)
{
	if (item->next == LIST_POISON1 || item->prev == LIST_POISON2)
		vx_finding("list-corruption", "an element is taken off a list twice");
	if (item->prev->next != item || item->next->prev != item)
		vx_finding("list-corruption", "the neighbours of an element do not know it");
	return true;
}
