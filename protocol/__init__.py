# SPDX-License-Identifier: MIT
"""What is on the wire: messages, ring, registers. Knows no role, no clock and no queue."""
