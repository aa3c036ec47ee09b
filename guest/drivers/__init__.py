# SPDX-License-Identifier: MIT
"""Sample function drivers, as step tables."""
