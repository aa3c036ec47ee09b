# SPDX-License-Identifier: MIT
"""What an implementation does against the protocol: cases as data, a small check each."""
