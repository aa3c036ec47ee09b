# SPDX-License-Identifier: MIT
"""Bad input in quantity: packets that are damaged, out of order or lies, for host and guest."""
