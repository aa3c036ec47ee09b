# SPDX-License-Identifier: MIT
"""What a host must do, a module a theme."""
