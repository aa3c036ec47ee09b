/* SPDX-License-Identifier: GPL-2.0-only */
/* Device memory: a load or store becomes a question to the host. */
#ifndef VX_ASM_IO_H
#define VX_ASM_IO_H

#include_next <asm/io.h>

unsigned long vx_mmio_read(const volatile void __iomem *address, unsigned int size);
void vx_mmio_write(volatile void __iomem *address, unsigned int size, unsigned long value);

#undef readb
#undef readw
#undef readl
#undef readq
#undef writeb
#undef writew
#undef writel
#undef writeq
#define readb(address) ((u8)vx_mmio_read(address, 1))
#define readw(address) ((u16)vx_mmio_read(address, 2))
#define readl(address) ((u32)vx_mmio_read(address, 4))
#define readq(address) ((u64)vx_mmio_read(address, 8))
#define writeb(value, address) vx_mmio_write(address, 1, value)
#define writew(value, address) vx_mmio_write(address, 2, value)
#define writel(value, address) vx_mmio_write(address, 4, value)
#define writeq(value, address) vx_mmio_write(address, 8, value)

#endif
