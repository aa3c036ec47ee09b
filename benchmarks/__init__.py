# SPDX-License-Identifier: MIT
"""Long-running studies over ``sim/bench``: wall-clock results, apart from simulated ones."""
