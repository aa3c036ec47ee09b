# SPDX-License-Identifier: MIT
"""Peers that are no driver of ours: a guest that speaks raw bytes, and those in other processes."""
