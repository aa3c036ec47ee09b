/* SPDX-License-Identifier: MIT */
/* Every symbol of the kernel stays inside the shared object, which is also how per-CPU data wants it. */
#pragma GCC visibility push(hidden)
