# SPDX-License-Identifier: MIT
"""The guest side: kernel, VMBus, driver, PCI core. Knows nothing of the host or the simulator."""
