# SPDX-License-Identifier: MIT
"""The real driver: built from the user's Linux tree, run in user space under our scheduler."""
