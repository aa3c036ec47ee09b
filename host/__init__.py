# SPDX-License-Identifier: MIT
"""The Hyper-V side. Knows nothing of the guest's insides or the simulator."""
