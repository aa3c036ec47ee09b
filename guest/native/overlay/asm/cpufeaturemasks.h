/* SPDX-License-Identifier: GPL-2.0-only */
/* Since 6.15 a build makes this of its configuration: no feature is required here, none ruled out. */
#ifndef _ASM_X86_CPUFEATUREMASKS_H
#define _ASM_X86_CPUFEATUREMASKS_H

#define REQUIRED_MASK_BIT_SET(x) 0
#define DISABLED_MASK_BIT_SET(x) 0

#endif
