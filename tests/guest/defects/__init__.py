# SPDX-License-Identifier: MIT
"""Tests of the historical bugs: what is on record, and that each shows itself."""
