# SPDX-License-Identifier: MIT
"""The guest's PCI core, as far as a vPCI bus meets it."""
