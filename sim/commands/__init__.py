# SPDX-License-Identifier: MIT
"""The subcommands of ``vpcisim``, a module each with ``application()``; sim/cli.py has the list."""
