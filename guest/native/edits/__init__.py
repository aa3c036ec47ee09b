# SPDX-License-Identifier: MIT
"""Historical bugs as edits of a driver's source: what is sought in it, and what is put there."""
