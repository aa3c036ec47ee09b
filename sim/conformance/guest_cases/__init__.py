# SPDX-License-Identifier: MIT
"""What a guest must do, a module a theme."""
