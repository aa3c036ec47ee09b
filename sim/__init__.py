# SPDX-License-Identifier: MIT
"""Composes host and guest, and chooses the order of events."""
