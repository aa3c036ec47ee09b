/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel prints becomes a note. */
#include <linux/device.h>
#include <linux/panic.h>
#include <linux/printk.h>

#include "shim.h"

/* What nobody reads is not even put into words, but for what may be told of in other ways. */
static void print(int level, const char *format, va_list arguments)
{
	static char text[512];

	if (vx_shared.quiet && level > LOGLEVEL_WARNING)
		return;
	vsnprintf(text, sizeof(text), format, arguments);
	vx_log(text);
}

int _printk(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print(LOGLEVEL_INFO, printk_skip_level(format), arguments); /* which nothing is told of */
	va_end(arguments);
	return 0;
}

int vprintk_emit(int facility, int level, const struct dev_printk_info *device, const char *format,
		 va_list arguments)
{
	print(level, format, arguments);
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
