# SPDX-License-Identifier: MIT
"""How hypothesis runs here: the same examples every time, and no deadline on a shared machine."""

from hypothesis import settings

settings.register_profile("vpcisim", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("vpcisim")
