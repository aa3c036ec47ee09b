# SPDX-License-Identifier: MIT
"""Device profiles as register rows, and import of real captures."""
