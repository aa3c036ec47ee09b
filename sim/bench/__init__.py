# SPDX-License-Identifier: MIT
"""The benchmarks behind the bench command."""
