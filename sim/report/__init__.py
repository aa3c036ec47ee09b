# SPDX-License-Identifier: MIT
"""What people look at: lanes, captures, tables."""
