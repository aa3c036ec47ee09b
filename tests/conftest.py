# SPDX-License-Identifier: MIT
"""How hypothesis runs here: the same examples every time, and no deadline on a shared machine.

And pytest's own fixture for plugins, which can be had from here only.
"""

from hypothesis import settings

pytest_plugins = ("pytester",)

settings.register_profile("vpcisim", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("vpcisim")
