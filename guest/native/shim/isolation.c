/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a confidential VM finds out about itself: that its host is not to be trusted, and whether the
 * host can emulate its instructions.
 *
 * Model: memory that both sides use is shared from the start, as with a paravisor; so the guest is
 * neither an enlightened SNP nor a TDX one, which share it page by page.
 */
#include <asm/mshyperv.h>

#include "shim.h"

static bool isolated;

VX_EXPORT void vx_set_isolation(u32 is_isolated, u32 config_by_calls)
{
	isolated = is_isolated;
	if (config_by_calls)
		ms_hyperv.hints |= HINT_MMIO_HYPERCALLS;
}

bool hv_is_isolation_supported(void)
{
	return isolated;
}
