# SPDX-License-Identifier: MIT
"""The guest kernel's services. Only the ops module suspends."""
