# SPDX-License-Identifier: MIT
"""Who chooses the order: strategies, a file each; then what shrinks and explains a failing one."""
