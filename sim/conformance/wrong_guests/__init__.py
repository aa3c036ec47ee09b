# SPDX-License-Identifier: MIT
"""Guests that do one thing wrong, so that every ``must`` case is known to catch something."""
