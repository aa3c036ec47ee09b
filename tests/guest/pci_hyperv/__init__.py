# SPDX-License-Identifier: MIT
"""Tests of the vPCI guest driver."""
