# SPDX-License-Identifier: MIT
"""Historical bugs of the driver, the VMBus core and the PCI glue, one file each."""
