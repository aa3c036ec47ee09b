/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel prints becomes a note. */
#include <linux/device.h>
#include <linux/panic.h>
#include <linux/printk.h>

#include "shim.h"

static void print(const char *prefix, const char *format, va_list arguments)
{
	static char text[512];
	int used = prefix ? snprintf(text, sizeof(text), "%s: ", prefix) : 0;

	if (vx_shared.quiet)
		return;
	vsnprintf(text + used, sizeof(text) - used, format, arguments);
	vx_log(text);
}

int _printk(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print(NULL, printk_skip_level(format), arguments);
	va_end(arguments);
	return 0;
}

int vprintk_emit(int facility, int level, const struct dev_printk_info *device, const char *format,
		 va_list arguments)
{
	print(NULL, format, arguments);
	return 0;
}

void __warn_printk(const char *format, ...)
{
	static char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	vx_finding("warning", "%s", text);
}

void panic(const char *format, ...)
{
	static char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	vx_finding("crash", "panic: %s", text);
}

int ___ratelimit(struct ratelimit_state *state, const char *function)
{
	return 1;
}

void dump_stack(void)
{
}

void dump_stack_lvl(const char *level)
{
}

void warn_slowpath_fmt(const char *file, int line, unsigned int taint, const char *format, ...)
{
	static char text[256];
	va_list arguments;

	text[0] = '\0';
	if (format) {
		va_start(arguments, format);
		vsnprintf(text, sizeof(text), format, arguments);
		va_end(arguments);
	}
	vx_finding("warning", "WARNING at %s:%d %s", file, line, text);
}
