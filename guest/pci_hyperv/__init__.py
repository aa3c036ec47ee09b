# SPDX-License-Identifier: MIT
"""The vPCI front-end driver, after Linux 6.12's pci-hyperv.c."""
